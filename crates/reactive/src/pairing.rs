//! Owns the pairing of streams: the first artifact of each goes with the first of the others, the
//! second with the second. Pure; each artifact is used once.

use std::collections::VecDeque;

use selvedge_event::Event;

/// What has come of each stream and waits for the others.
#[derive(Debug)]
pub(crate) struct Pairing {
    waiting: Box<[VecDeque<Event>]>,
    /// The pair that is being used, one artifact of each stream; the memory is kept.
    pair: Vec<Event>,
    n_waiting: usize,
}

impl Pairing {
    pub(crate) fn new(n_streams: usize) -> Pairing {
        let waiting = (0..n_streams).map(|_| VecDeque::new()).collect();
        Pairing { waiting, pair: Vec::new(), n_waiting: 0 }
    }

    /// Takes in an artifact; says whether there is one of each stream now.
    pub(crate) fn push(&mut self, stream: usize, event: Event) -> bool {
        self.waiting[stream].push_back(event);
        self.n_waiting += 1;
        self.waiting.iter().all(|queue| !queue.is_empty())
    }

    /// The first of each stream, which stay where they are.
    pub(crate) fn first(&mut self) -> &[Event] {
        self.pair.clear();
        self.pair.extend(self.waiting.iter().filter_map(|queue| queue.front().cloned()));
        &self.pair
    }

    /// The pair that is being used, if one is.
    pub(crate) fn pair(&self) -> &[Event] {
        &self.pair
    }

    /// Takes the first of each stream away: they are used, or given up.
    pub(crate) fn consume(&mut self) {
        self.pair.clear();
        for queue in &mut self.waiting {
            self.n_waiting -= usize::from(queue.pop_front().is_some());
        }
    }

    /// Takes the last artifact of a stream back: it will come again.
    pub(crate) fn take_back(&mut self, stream: usize) {
        self.pair.clear();
        self.n_waiting -= usize::from(self.waiting[stream].pop_back().is_some());
    }

    /// Artifacts that wait for others.
    pub(crate) fn n_waiting(&self) -> usize {
        self.n_waiting
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use selvedge_event::Dynamic;

    use super::*;

    /// The pairs that come of artifacts, each written as its stream and a letter.
    fn trace(n_streams: usize, items: &str) -> String {
        let mut pairing = Pairing::new(n_streams);
        let mut pairs = Vec::new();
        for item in items.split(' ') {
            let (stream, letter) = item.split_at(1);
            let event = Event::new(Dynamic::new("item", letter));
            if pairing.push(stream.parse().expect("a stream is a digit"), event) {
                let letters = pairing.first().iter().map(Event::to_json);
                pairs.push(letters.flatten().map(|json| json.to_string()).collect::<String>());
                pairing.consume();
            }
        }
        format!("{} and {} waiting", pairs.join(" ").replace('"', ""), pairing.n_waiting())
    }

    #[test]
    fn the_first_goes_with_the_first_whoever_comes_sooner() {
        assert_snapshot!(trace(2, "0a 0b 1x 1y"), @"ax by and 0 waiting");
        assert_snapshot!(trace(2, "1x 1y 0a 1z"), @"ax and 2 waiting");
        assert_snapshot!(trace(3, "0a 1k 2x 2y 1l 0b 0c"), @"akx bly and 1 waiting");
        assert_snapshot!(trace(1, "0a 0b"), @"a b and 0 waiting");
    }

    #[test]
    fn what_is_taken_back_can_come_again() {
        let mut pairing = Pairing::new(2);
        let event = |letter: &str| Event::new(Dynamic::new("item", letter));
        assert!(!pairing.push(0, event("a")));
        assert!(pairing.push(1, event("x")));
        pairing.take_back(1);
        assert_eq!(pairing.n_waiting(), 1);
        assert!(pairing.push(1, event("x")));
        assert_eq!(pairing.first().len(), 2);
    }
}
