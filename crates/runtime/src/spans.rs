//! Owns the spans around a run and its turns, by which what user code logs is attributed. Without
//! the feature `tracing` there are none, and nothing of this is left in the program.

#[cfg(feature = "tracing")]
mod imp {
    use selvedge_event::{Event, Text};

    use crate::roster::Who;
    use tracing::dispatcher::{self, DefaultGuard, Dispatch};
    use tracing::field::{Empty, display};
    use tracing::info_span;
    use tracing::span::{EnteredSpan, Span};

    /// The span of a run, to be entered on each of its threads.
    #[derive(Clone)]
    pub(crate) struct RunSpan {
        span: Span,
        /// Who collects spans where the run begins, does so on all of its threads.
        dispatch: Dispatch,
    }

    /// As long as it is there, the thread is in the run.
    pub(crate) struct InRun {
        // Dropped in this order.
        _span: EnteredSpan,
        _default: DefaultGuard,
    }

    impl RunSpan {
        pub(crate) fn new(workers: usize, processors: usize) -> RunSpan {
            let span = info_span!(target: "selvedge", "run", workers, processors);
            RunSpan { span, dispatch: dispatcher::get_default(Dispatch::clone) }
        }

        pub(crate) fn enter(&self) -> InRun {
            let _default = dispatcher::set_default(&self.dispatch);
            InRun { _span: self.span.clone().entered(), _default }
        }
    }

    /// One attempt at a turn.
    pub(crate) fn turn(processor: &Who<'_>, event: &Event, attempt: u32) -> EnteredSpan {
        let span = info_span!(
            target: "selvedge",
            "turn",
            processor = processor.name().as_str(),
            kind = event.kind().as_str(),
            name = Empty,
            attempt,
        );
        if !span.is_disabled() && event.name().as_str() != event.kind().as_str() {
            span.record("name", display(event.name()));
        }
        span.entered()
    }

    /// One attempt at a task of a scope.
    pub(crate) fn task(scope: &Text, index: u32, attempt: u32) -> EnteredSpan {
        info_span!(target: "selvedge", "task", scope = scope.as_str(), index, attempt).entered()
    }

    /// One pull.
    pub(crate) fn pull(processor: &Who<'_>) -> EnteredSpan {
        info_span!(target: "selvedge", "pull", processor = processor.name().as_str()).entered()
    }
}

#[cfg(not(feature = "tracing"))]
mod imp {
    use selvedge_event::{Event, Text};

    use crate::roster::Who;

    #[derive(Clone)]
    pub(crate) struct RunSpan;

    pub(crate) struct Nothing;

    impl RunSpan {
        pub(crate) fn new(_workers: usize, _processors: usize) -> RunSpan {
            RunSpan
        }

        pub(crate) fn enter(&self) -> Nothing {
            Nothing
        }
    }

    #[inline]
    pub(crate) fn turn(_: &Who<'_>, _: &Event, _attempt: u32) -> Nothing {
        Nothing
    }

    #[inline]
    pub(crate) fn task(_: &Text, _index: u32, _attempt: u32) -> Nothing {
        Nothing
    }

    #[inline]
    pub(crate) fn pull(_: &Who<'_>) -> Nothing {
        Nothing
    }
}

pub(crate) use imp::{RunSpan, pull, task, turn};
