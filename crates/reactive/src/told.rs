//! Owns what is told of builds: what from, what came of it, and of an input that was left out,
//! which run had built from it. Nothing is found out unless somebody wants to be told. Refuses to
//! know who that is: the runtime's listeners are.

use std::collections::HashMap;

use selvedge_event::{Digest, Name, Text};
use selvedge_runtime::{Context, Journal, Made};

use crate::artifact::{self, Artifact};

/// What came of an input, and in which run.
struct Past {
    outputs: Vec<Digest>,
    origin: Option<Text>,
}

/// What a builder tells.
pub(crate) struct Telling {
    journal: Journal,
    /// The targets of its arguments, in order.
    names: Vec<Text>,
    /// By input; as many as the builder remembers.
    past: HashMap<Digest, Past>,
    /// Whether anybody wants to be told; known when the run begins.
    is_wanted: bool,
}

impl Telling {
    pub(crate) fn new(journal: Journal, names: Vec<Text>) -> Telling {
        Telling { journal, names, past: HashMap::new(), is_wanted: false }
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
            self.past.insert(input, Past { outputs, origin });
        }
    }

    /// The turn that is being taken has built, and emitted what it built.
    pub(crate) fn built<T: Artifact>(
        &mut self,
        cx: &mut Context<'_>,
        target: &'static Name,
        input: Digest,
        arguments: Vec<Digest>,
        remember: bool,
    ) {
        let way = Some(artifact::way::<T>(target));
        let artifacts = cx.emitted().filter(|event| event.way() == way);
        // What is told has a digest: its type was known to be serializable when it was emitted.
        let outputs: Vec<Digest> = artifacts.filter_map(|it| it.payload_digest().ok()).collect();
        let origin = self.journal.origin().cloned();
        if remember {
            self.past.insert(input, Past { outputs: outputs.clone(), origin: origin.clone() });
        }
        let inputs = self.named(arguments);
        cx.tell(&self.journal, Made { input, inputs, outputs, replayed: false, origin });
    }

    /// The turn that is being taken was left out: its input was built from before.
    pub(crate) fn left_out(&self, cx: &mut Context<'_>, input: Digest, arguments: Vec<Digest>) {
        let past = self.past.get(&input);
        let outputs = past.map_or_else(Vec::new, |past| past.outputs.clone());
        let origin = past.and_then(|past| past.origin.clone());
        let inputs = self.named(arguments);
        cx.tell(&self.journal, Made { input, inputs, outputs, replayed: true, origin });
    }

    fn named(&self, arguments: Vec<Digest>) -> Vec<(Text, Digest)> {
        self.names.iter().cloned().zip(arguments).collect()
    }
}
