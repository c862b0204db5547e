//! Owns what is told of builds: what from, what came of it, that one failed, and of an input that
//! was left out, which run had built from it. Nothing is found out unless somebody wants to be
//! told. Refuses to know who that is: the runtime's listeners are.

use std::collections::HashMap;

use selvedge_event::{Digest, Name, Text, Topic};
use selvedge_runtime::{Context, Journal, Made};

use crate::artifact::{self, Artifact};

/// What came of an input, and in which run.
struct Past {
    outputs: Vec<Digest>,
    origin: Option<Text>,
}

/// What is built from, by digest: as a whole, and each argument.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) whole: Digest,
    pub(crate) arguments: Vec<Digest>,
}

/// What a builder tells.
pub(crate) struct Telling {
    journal: Journal,
    /// The targets of its arguments, in order.
    names: Vec<Text>,
    /// By input.
    past: HashMap<Digest, Past>,
    /// As many inputs as the builder remembers; none without dedupe.
    past_max: usize,
    /// What the build is made from that has begun.
    begun: Option<Input>,
    /// Whether anybody wants to be told; known when the run begins.
    is_wanted: bool,
}

impl Telling {
    pub(crate) fn new(journal: Journal, names: Vec<Text>, past_max: usize) -> Telling {
        let (past, begun) = (HashMap::new(), None);
        Telling { journal, names, past, past_max, begun, is_wanted: false }
    }

    /// Whether anybody wants to be told.
    #[inline]
    pub(crate) fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// The run has begun.
    pub(crate) fn begin(&mut self) {
        self.is_wanted = self.journal.is_told();
    }

    /// An earlier run built this.
    pub(crate) fn note_past(&mut self, input: Digest, outputs: Vec<Digest>, origin: Option<Text>) {
        if self.is_wanted() {
            self.remember(input, Past { outputs, origin });
        }
    }

    fn remember(&mut self, input: Digest, past: Past) {
        if self.past.len() < self.past_max {
            self.past.insert(input, past);
        }
    }

    /// The turn that is being taken is about to build: if it fails, this is what it was built from.
    pub(crate) fn begins(&mut self, cx: &mut Context<'_>, topic: Topic, input: Input) {
        let inputs = self.named(&input);
        cx.begin(&self.journal, topic, input.whole, inputs);
        self.begun = Some(input);
    }

    /// The turn that is being taken has built, and emitted what it built.
    pub(crate) fn built<T: Artifact>(&mut self, cx: &mut Context<'_>, target: &'static Name) {
        let Some(begun) = self.begun.take() else { return };
        let way = Some(artifact::way::<T>(target));
        let artifacts = cx.emitted().filter(|event| event.way() == way);
        // What is told has a digest: its type was known to be serializable when it was emitted.
        let outputs: Vec<Digest> = artifacts.filter_map(|it| it.payload_digest().ok()).collect();
        let (input, origin) = (begun.whole, self.journal.origin().cloned());
        self.remember(input, Past { outputs: outputs.clone(), origin: origin.clone() });
        let inputs = self.named(&begun);
        cx.tell(&self.journal, Made { input, inputs, outputs, replayed: false, origin });
    }

    /// The turn that is being taken has made this of what it began with.
    pub(crate) fn made(&mut self, cx: &mut Context<'_>, outputs: Vec<Digest>) {
        let Some(begun) = self.begun.take() else { return };
        let (inputs, origin) = (self.named(&begun), self.journal.origin().cloned());
        let input = begun.whole;
        cx.tell(&self.journal, Made { input, inputs, outputs, replayed: false, origin });
    }

    /// The turn that is being taken was left out: its input was built from before.
    pub(crate) fn left_out(&self, cx: &mut Context<'_>, input: &Input) {
        let past = self.past.get(&input.whole);
        let outputs = past.map_or_else(Vec::new, |past| past.outputs.clone());
        let origin = past.and_then(|past| past.origin.clone());
        let (input, inputs) = (input.whole, self.named(input));
        cx.tell(&self.journal, Made { input, inputs, outputs, replayed: true, origin });
    }

    fn named(&self, input: &Input) -> Vec<(Text, Digest)> {
        self.names.iter().cloned().zip(input.arguments.iter().copied()).collect()
    }
}
