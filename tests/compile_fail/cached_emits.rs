//! What a cached processor emits is brought back from what was written of it.

use selvedge::prelude::*;

#[derive(Event)]
struct Word(String);

struct Speller;

#[processor]
impl CachedProcessor for Speller {
    type Emits = Word;

    fn process(&self, cx: &mut Context<'_>, event: &Event) -> Result {
        match event {
            Word(text) => cx.emit(Word(text.clone())),
        }
        Ok(())
    }
}

fn main() {}
