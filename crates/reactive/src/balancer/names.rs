//! Owns the names of a balancer's workers: the same in every run, unlike any other's.

use super::BalancerError;

/// What the `i`-th worker is called that makes one target of another in a topology.
///
/// ```
/// use selvedge_reactive::balancer::worker_name;
/// let name = worker_name("atlas", "tiles", "maps", 3)?;
/// assert_eq!(name, "atlas/tiles->maps/worker-3");
/// # Ok::<(), selvedge_reactive::balancer::BalancerError>(())
/// ```
///
/// # Errors
///
/// The requirement is starred.
pub fn worker_name(
    topology: &str,
    requires: &str,
    provides: &str,
    i: usize,
) -> Result<String, BalancerError> {
    if requires.starts_with('*') {
        return Err(BalancerError::Starred { requires: requires.to_owned() });
    }
    Ok(format!("{topology}/{requires}->{provides}/worker-{i}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starred_requirements_are_refused() {
        let error = worker_name("t", "*pairs", "sums", 0).unwrap_err();
        assert!(matches!(error, BalancerError::Starred { .. }));
        insta::assert_snapshot!(error, @"`*pairs` can't be balanced: a worker takes an item whole, require it unstarred");
    }
}
