//! Owns threads for one run: a pipeline whose only work is a scope.

use selvedge_event::Init;
use selvedge_runtime::{
    BuildError, Context, Pipeline, RunError as PipelineError, ScopeOptions, Tasks, on,
};

/// Why a run was not carried out.
pub(crate) enum Undone {
    Workers(BuildError),
    Pipeline(PipelineError),
}

/// Carries out tasks, from this one on, to the end of their scope; this thread is one of as many as
/// the machine has cores.
pub(crate) fn carry_out(
    options: ScopeOptions,
    tasks: impl Tasks,
    start: u32,
) -> Result<(), Undone> {
    let name = options.name().clone();
    let mut work = Some((options, tasks));
    let opens = move |cx: &mut Context<'_>, _: &Init| {
        if let Some((options, tasks)) = work.take() {
            cx.scope(options, tasks)?.post(start);
        }
        Ok(())
    };
    let pipeline = Pipeline::builder().processor(on(name.as_str(), opens)).build();
    // The run of a pipeline ends after its scopes.
    pipeline.map_err(Undone::Workers)?.run().map(drop).map_err(Undone::Pipeline)
}
