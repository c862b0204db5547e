//! Cached processors: what is replayed, what it is known by, what is kept and what isn't.

mod archives;
mod hits;
mod refusals;
mod signatures;
mod upgrades;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use selvedge::prelude::*;
use selvedge::runtime::{Cache, Cached, Registration};
use selvedge::store::{Memory, Store};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Event, Serialize, Deserialize)]
struct Word(String);

#[derive(Clone, Debug, PartialEq, Event, Serialize, Deserialize)]
struct Letter(char);

#[derive(Clone, Debug, PartialEq, Event, Serialize, Deserialize)]
struct Length(usize);

fn word(text: &str) -> Word {
    Word(text.to_owned())
}

/// Counts how often a body ran.
#[derive(Clone, Debug, Default)]
struct Calls(Arc<AtomicU32>);

impl Calls {
    fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn n(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Spells words: each letter, then the length under the word's name.
#[derive(Clone, Default, Serialize)]
struct Speller {
    upper: bool,
    #[serde(skip)]
    calls: Calls,
}

#[processor]
impl CachedProcessor for Speller {
    type Emits = (Letter, Length);

    fn process(&self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Word(text) => {
                self.calls.count();
                for letter in text.chars() {
                    anyhow::ensure!(letter != '!', "no letter");
                    cx.emit(Letter(if self.upper { letter.to_ascii_uppercase() } else { letter }));
                }
                cx.emit(Named(text.as_str(), Length(text.len())));
                cx.emit(Dynamic::new("spelt", text.as_str()).keyed(text.as_str()));
            }
        }
        Ok(())
    }
}

/// Writes down all it hears.
struct Hearer(Arc<std::sync::Mutex<Vec<String>>>);

impl Processor for Hearer {
    fn process(&mut self, _: &mut Context<'_>, event: &Event) -> Result {
        self.0.lock().expect("nobody panics with it").push(format!("{event:?}"));
        Ok(())
    }
}

/// Runs a speller on words; what was heard of it, and the report.
fn spell(
    speller: Registration<Cached<Speller>>,
    store: Option<Arc<dyn Store>>,
    words: &[&str],
) -> (Vec<String>, RunReport) {
    let log = Arc::default();
    let builder = Pipeline::builder()
        .processor(speller.named("speller"))
        .processor(Hearer(Arc::clone(&log)).named("hearer"))
        .workers(1);
    let builder = match store {
        Some(store) => builder.store(store),
        None => builder,
    };
    let pipeline = builder.build().expect("the wiring is sound");
    for text in words {
        pipeline.submit(word(text)).expect("there is room");
    }
    let report = pipeline.run().expect("nothing fails");
    let heard = std::mem::take(&mut *log.lock().expect("nobody panics with it"));
    (heard.into_iter().filter(|line| !line.contains("Word")).collect(), report)
}

fn memory() -> Arc<dyn Store> {
    Arc::new(Memory::new())
}

fn n_replayed(report: &RunReport) -> u64 {
    report.processor("speller").expect("it is registered").replayed
}
