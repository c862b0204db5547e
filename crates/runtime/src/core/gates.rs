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
    #[cfg_attr(not(test), expect(dead_code, reason = "called once a run can be reconfigured"))]
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
    use std::sync::mpsc;

    use selvedge_event::{Kind, Payload};

    use super::*;
    use crate::{Context, Pipeline, on};

    struct Go;

    impl Payload for Go {
        fn kind() -> Kind {
            Kind::literal("go")
        }
    }

    #[test]
    fn who_waits_is_let_in_when_there_are_more_permits() {
        let (entered, wait_entered) = mpsc::channel();
        let (go_on, gate) = mpsc::channel();
        // The first turn ends when the second begins: with one permit neither would.
        let holder = on("holder", move |_: &mut Context<'_>, _: &Go| {
            entered.send(()).expect("the test listens");
            gate.recv().expect("the other turn says when");
            Ok(())
        });
        let other = on("other", move |_: &mut Context<'_>, _: &Go| {
            go_on.send(()).expect("the holder waits for it");
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
        wait_entered.recv().expect("the holder's turn begins");
        assert!(!core.set_concurrency("lock", two), "nobody declared it");
        assert!(core.set_concurrency("key", two));
        assert_eq!(running.finish().expect("nothing fails").handled, 2);
    }
}
