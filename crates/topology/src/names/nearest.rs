//! Owns the search for the names that a wrong one was probably meant to be, within a bounded amount
//! of work.

/// How many names a suggestion lists.
const N_NEAREST_MAX: usize = 3;

/// What one build, or one question, may spend on suggestions: bytes looked at, and cells of
/// distance tables filled. Some tens of milliseconds.
const WORK_MAX: u64 = 40_000_000;

/// A search for near names that stops looking when its budget is spent.
///
/// Most candidates are refused by their length, or by the set of their characters: an edit changes
/// at most two members of it. For the rest the distance is that of optimal string alignment
/// (insertions, deletions, substitutions, and swaps of neighbours), as `strsim` computes it.
#[derive(Clone, Debug)]
pub(crate) struct Nearest {
    work_left: u64,
}

impl Default for Nearest {
    fn default() -> Nearest {
        Nearest { work_left: WORK_MAX }
    }
}

impl Nearest {
    /// The candidates within a third of the wanted name's length, or one edit if it is short,
    /// nearest first, then in the order given. Who differs by upper and lower case only comes
    /// first.
    pub(crate) fn to<'c>(
        &mut self,
        wanted: &str,
        candidates: impl Iterator<Item = &'c str>,
    ) -> Vec<String> {
        let wanted_len = wanted.chars().count();
        let distance_max = distance_max(wanted_len);
        let wanted_letters = letters(wanted);
        // Worst last, so that the list is full and short at once.
        let mut best: Vec<(usize, &str)> = Vec::new();
        for candidate in candidates {
            if !self.spend(candidate.len() as u64 + 8) {
                break;
            }
            let bytes_differ = candidate.len().abs_diff(wanted.len());
            let apart = (letters(candidate) ^ wanted_letters).count_ones() as usize;
            // A character has four bytes at most.
            if candidate == wanted || bytes_differ > distance_max * 4 || apart > distance_max * 2 {
                continue;
            }
            if !self.spend(wanted_len as u64 * candidate.len() as u64) {
                break;
            }
            let distance = if candidate.eq_ignore_ascii_case(wanted) {
                0
            } else {
                strsim::osa_distance(wanted, candidate)
            };
            if distance > distance_max {
                continue;
            }
            let at = best.partition_point(|&(other, _)| other <= distance);
            if at < N_NEAREST_MAX {
                best.insert(at, (distance, candidate));
                best.truncate(N_NEAREST_MAX);
            }
        }
        best.into_iter().map(|(_, name)| name.to_owned()).collect()
    }

    fn spend(&mut self, work: u64) -> bool {
        let afforded = self.work_left >= work;
        self.work_left = self.work_left.saturating_sub(work);
        afforded
    }
}

/// How many edits still make a likely slip: never all of a name.
fn distance_max(n_chars: usize) -> usize {
    (n_chars.max(3) / 3).min(n_chars.saturating_sub(1))
}

/// The set of characters of a text, without upper and lower case, as bits; several characters may
/// share one.
fn letters(text: &str) -> u64 {
    text.chars().fold(0, |set, c| set | 1 << (u32::from(c.to_ascii_lowercase()) % 64))
}

/// `: did you mean …?`, or nothing.
pub(crate) fn did_you_mean(nearest: &[String]) -> String {
    let shown: Vec<String> = nearest
        .iter()
        .map(|name| format!("`{}`", crate::text::Visible::in_message(name)))
        .collect();
    match shown.split_last() {
        None => String::new(),
        Some((last, [])) => format!("; did you mean {last}?"),
        Some((last, others)) => format!("; did you mean {} or {last}?", others.join(", ")),
    }
}

/// `; did you mean …?` with the names that a wrong one was probably meant to be, or nothing: how
/// messages about any kind of name end. Looks at a bounded number of candidates.
///
/// ```
/// let arms = ["question", "note"];
/// assert_eq!(selvedge_topology::suggestion("questoin", arms), "; did you mean `question`?");
/// assert_eq!(selvedge_topology::suggestion("else", arms), "");
/// ```
#[must_use]
pub fn suggestion<'c>(wanted: &str, candidates: impl IntoIterator<Item = &'c str>) -> String {
    did_you_mean(&Nearest::default().to(wanted, candidates.into_iter()))
}

/// A name derived from a taken one that is free: `load-2`, `load-3`, …
pub(crate) fn free_like(name: &str, is_taken: impl Fn(&str) -> bool) -> Option<String> {
    let mut numbered = (2..=99_u32).map(|n| format!("{name}-{n}"));
    numbered.find(|candidate| !is_taken(candidate))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nearest(wanted: &str, names: &[&str]) -> String {
        Nearest::default().to(wanted, names.iter().copied()).join(" ")
    }

    #[test]
    fn the_nearest_come_first() {
        assert_eq!(nearest("claen", &["load", "clear", "clean", "lean"]), "clean");
        assert_eq!(
            nearest("enrich", &["enrich2", "Enrich", "enich", "other"]),
            "Enrich enrich2 enich"
        );
        assert_eq!(nearest("ab", &["a", "b", "xyz"]), "a b");
        assert_eq!(nearest("größe", &["grösse", "große", "x"]), "große");
        assert_eq!(nearest("load", &["load", "totally-different"]), "");
    }

    #[test]
    fn the_filter_refuses_only_what_is_too_far() {
        let mut names = vec![String::new()];
        for _ in 0..4 {
            let longer =
                names.iter().flat_map(|name| ["a", "b", "ü"].map(|c| format!("{name}{c}")));
            names = names.iter().cloned().chain(longer).collect();
            names.sort();
            names.dedup();
        }
        for wanted in &names {
            let distance_max = distance_max(wanted.chars().count());
            let is_near = |name: &&String| {
                *name != wanted && strsim::osa_distance(wanted, name) <= distance_max
            };
            let n_near = names.iter().filter(is_near).count().min(N_NEAREST_MAX);
            let found = Nearest::default().to(wanted, names.iter().map(String::as_str));
            assert_eq!(found.len(), n_near, "{wanted}");
        }
    }

    #[test]
    fn the_search_ends_when_its_budget_is_spent() {
        let long = "n".repeat(250);
        let names: Vec<String> = (0..100_000).map(|n| format!("{long}{n}")).collect();
        let mut nearest = Nearest::default();
        let mut n_looked_at = 0;
        let looked_at = names.iter().map(|name| {
            n_looked_at += 1;
            name.as_str()
        });
        assert_eq!(nearest.to(&format!("{long}!"), looked_at).len(), N_NEAREST_MAX);
        assert!(n_looked_at < 1_000, "{n_looked_at}");
        assert!(nearest.to("load", ["lead"].into_iter()).is_empty());
    }

    #[test]
    fn suggestions_read_well() {
        let said = |names: &[&str]| {
            did_you_mean(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(said(&[]), "");
        assert_eq!(said(&["a"]), "; did you mean `a`?");
        assert_eq!(said(&["a", "b", "c"]), "; did you mean `a`, `b` or `c`?");
        assert_eq!(free_like("a", |name| name == "a-2").as_deref(), Some("a-3"));
        assert_eq!(free_like("a", |_| true), None);
    }
}
