//! Owns the keys under which turns in flight are limited, while a pipeline runs.

use std::num::NonZeroUsize;

use super::Core;
use crate::limiter::Gate;

impl Core {
    /// Every key's gate, in order of declaration; none before the run.
    #[inline]
    pub(crate) fn gates(&self) -> &[Gate] {
        self.wired.get().map_or(&[], |wired| &wired.gates)
    }

    /// Changes how many turns may be in flight under a key; `false` if there is no such key, or the
    /// run has not begun.
    ///
    /// Whoever waits is let in here and now: under the scheduler's lock, so that nobody takes the
    /// run for quiet while a job that was let in is in no ready set.
    pub(crate) fn set_concurrency(&self, key: &str, cap: NonZeroUsize) -> bool {
        let Some(gate) = self.gates().iter().find(|gate| gate.key.as_str() == key) else {
            return false;
        };
        let mut sched = self.lock();
        for job in gate.set_cap(cap) {
            let band = self.band(job);
            sched.ready.push(job, band);
        }
        self.publish_takeable(&mut sched);
        // It wakes one, and whoever takes one thing wakes another if something is left.
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use selvedge_event::{Kind, Payload};
    use selvedge_sync::{Condvar, Mutex};

    use super::*;
    use crate::{Context, Pipeline, on};

    struct Go;

    impl Payload for Go {
        fn kind() -> Kind {
            Kind::literal("go")
        }
    }

    /// How far the test is.
    #[derive(Clone, Default)]
    struct Stage(Arc<(Mutex<u32>, Condvar)>);

    impl Stage {
        fn reach(&self, stage: u32) {
            *self.0.0.lock() = stage;
            self.0.1.notify_all();
        }

        fn wait_for(&self, stage: u32) {
            let now = self.0.0.lock();
            drop(self.0.1.wait_while(now, |now| *now < stage));
        }
    }

    #[test]
    fn who_waits_is_let_in_when_there_are_more_permits() {
        let stage = Stage::default();
        let (first, second) = (stage.clone(), stage.clone());
        // The first turn ends when the second begins: with one permit neither would.
        let holder = on("holder", move |_: &mut Context<'_>, _: &Go| {
            first.reach(1);
            first.wait_for(2);
            Ok(())
        });
        let other = on("other", move |_: &mut Context<'_>, _: &Go| {
            second.reach(2);
            Ok(())
        });
        let pipeline = Pipeline::builder()
            .concurrency("key", 1)
            .processor(holder.limited_by("key").priority(-1))
            .processor(other.limited_by("key"))
            .workers(2)
            .build()
            .expect("the wiring is sound");
        let core = pipeline.stop_handle().core;
        let two = NonZeroUsize::new(2).expect("it is not zero");
        assert!(!core.set_concurrency("key", two), "the run has not begun");
        pipeline.submit(Go).expect("there is room");
        let running = pipeline.start().expect("there is room for threads");
        stage.wait_for(1);
        assert!(!core.set_concurrency("lock", two), "nobody declared it");
        assert!(core.set_concurrency("key", two));
        assert_eq!(running.finish().expect("nothing fails").handled, 2);
    }
}
