//! The order of measurements: strictly a candidate, then a peer.

/// One workload's runs. Each round pairs every candidate with a peer and every peer with a
/// candidate; the shorter list is repeated, and the candidates move on by one per round, so that
/// they meet other partners. Without peers the candidates take turns among themselves.
pub(super) fn plan<'n>(
    candidates: &'n [String],
    peers: &'n [String],
    rounds: usize,
) -> Vec<&'n str> {
    if peers.is_empty() {
        return (0..rounds).flat_map(|_| candidates.iter().map(String::as_str)).collect();
    }
    let n_pairs = candidates.len().max(peers.len());
    let pairs = (0..rounds).flat_map(|round| (0..n_pairs).map(move |pair| (round, pair)));
    pairs
        .flat_map(|(round, pair)| {
            let candidate = &candidates[(pair + round) % candidates.len()];
            [candidate.as_str(), peers[pair % peers.len()].as_str()]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::plan;

    fn check(candidates: &str, peers: &str, rounds: usize) -> String {
        let names = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        plan(&names(candidates), &names(peers), rounds).join(" ")
    }

    #[test]
    fn candidates_and_peers_alternate() {
        insta::assert_snapshot!(check("a", "x", 2), @"a x a x");
        insta::assert_snapshot!(check("a b", "x y z", 2), @"a x b y a z b x a y b z");
        insta::assert_snapshot!(check("a b c", "x", 1), @"a x b x c x");
        insta::assert_snapshot!(check("a b", "", 2), @"a b a b");
        insta::assert_snapshot!(check("a", "x", 0), @"");
    }
}
