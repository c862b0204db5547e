//! Owns how runs of a pipe that wait, or were cut off, go on.

use std::sync::Arc;

use selvedge_lineage::RunId;
use serde::Serialize;

use super::super::checkpoints::{Checkpoints, Keeps};
use super::super::error::{CheckpointError, StartError};
use super::super::position::{Left, Position, difference};
use super::super::recording::Records;
use super::super::run::{Execution, Keeper, Leg};
use super::super::state::Shares;
use super::handle::{Begun, kept_events};
use super::{Pipe, PipeResult, Suspended};
use crate::journal::Journal;
use crate::value::Value;

impl<S: Shares, C: Send + Sync + 'static> Pipe<S, C> {
    /// Goes on with a run that was suspended, in the same run: no step that has ended runs again.
    /// Steps find the input with [`Resumed`](super::super::Resumed).
    ///
    /// ```
    /// use selvedge_flow::steps::{Control, Pipe, Resumed, State};
    ///
    /// let mut pipe = Pipe::<String>::builder("approval");
    /// pipe.step("ask", || Control::suspend("needs a signature")).to("sign");
    /// pipe.step("sign", |name: Resumed<String>, paper: State<String>| {
    ///     let name = name.0.unwrap_or_default();
    ///     paper.update(move |paper| paper.push_str(&name));
    /// });
    /// let pipe = pipe.build()?;
    /// let waiting = pipe.run("signed: ".to_owned())?.suspended().unwrap().clone();
    /// assert_eq!(waiting.reason(), Some("needs a signature"));
    /// let result = pipe.resume(waiting, (), &"Ann")?;
    /// assert_eq!(*result.state(), "signed: Ann");
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`StartError::Checkpoint`], when the run is one of another pipe, or the pipe has changed;
    /// and as [`run_with`](Self::run_with).
    pub fn resume(
        &self,
        suspended: Suspended<S>,
        context: C,
        input: &impl Serialize,
    ) -> Result<PipeResult<S>, StartError> {
        let position = suspended.position;
        if self.keeps.is_some() {
            // Somebody else may go on with it, too.
            return self.resume_run(position.run, context, input);
        }
        let input = self.written(position.run, input)?;
        self.approve(&position.left(), &input).map_err(|source| self.refused(source))?;
        self.go_on(position, context, input)
    }

    /// Keeps runs of it that are suspended, so that another process can go on with them; see
    /// [`Checkpoints`].
    #[must_use]
    pub fn kept_in(&self, checkpoints: &Checkpoints) -> Pipe<S, C>
    where
        S: Value,
    {
        let keeps: Arc<dyn Keeps<S>> = Arc::new(checkpoints.clone());
        Pipe { keeps: Some(keeps), ..self.clone() }
    }

    /// Writes its runs down: each step with the state that it read and the one that it left, by
    /// digest, in the history that graphs and pipelines have, too. States are kept in the journal
    /// by their digests; the whole state is written after each step that changed it.
    ///
    /// ```
    /// use selvedge_flow::Journal;
    /// use selvedge_flow::steps::{Pipe, State};
    /// use selvedge_lineage::{Filter, Page};
    ///
    /// let journal = Journal::in_memory()?;
    /// let mut pipe = Pipe::<u32>::builder("double");
    /// pipe.step("double", |n: State<u32>| n.update(|n| *n *= 2));
    /// let run = pipe.build()?.in_journal(&journal).run(21)?.run();
    /// let records = journal.history().of_run(run, &Filter::new(), &Page::first(10))?;
    /// assert_eq!(records.items[0].record.step.as_str(), "double");
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    #[must_use]
    pub fn in_journal(&self, journal: &Journal) -> Pipe<S, C>
    where
        S: Value,
    {
        let records: Arc<dyn Records<S>> = Arc::new(journal.clone());
        Pipe { records: Some(records), ..self.clone() }
    }

    /// Goes on with a run that is [kept](Self::kept_in), as [`resume`](Self::resume) does: one that
    /// was suspended, or that was cut off when its process died. Of two that try, one does; the
    /// other is told.
    ///
    /// # Errors
    ///
    /// [`StartError::Checkpoint`], when no such run waits, it is one of another pipe, the pipe has
    /// changed, or somebody else goes on with it.
    pub fn resume_run(
        &self,
        run: RunId,
        context: C,
        input: &impl Serialize,
    ) -> Result<PipeResult<S>, StartError> {
        let keeps = self.keeps.as_ref();
        let keeps = keeps.ok_or_else(|| self.refused(CheckpointError::NotKept { run }))?;
        let input = self.written(run, input)?;
        let approve = |left: &Left<'_>| self.approve(left, &input);
        let position = keeps.claim(run, &approve, &*self.plan);
        self.go_on(position.map_err(|source| self.refused(source))?, context, input)
    }

    fn refused(&self, source: CheckpointError) -> StartError {
        StartError::Checkpoint { pipe: self.name().clone(), source }
    }

    /// Whether a run can go on with this pipe and this input.
    fn approve(&self, left: &Left<'_>, input: &serde_json::Value) -> Result<(), CheckpointError> {
        let run = left.run;
        if left.pipe != self.name() {
            return Err(CheckpointError::OtherPipe { run, found: left.pipe.clone() });
        }
        if *left.definition != self.digest() {
            let difference = difference(left.steps, &self.plan.lines());
            return Err(CheckpointError::Changed { run, difference });
        }
        let held = left.machine.held().iter().map(|&step| self.plan.step(step));
        for step in held {
            for check in &step.inputs {
                check(input).map_err(|reason| CheckpointError::InputType {
                    run,
                    step: step.name.clone(),
                    reason,
                })?;
            }
        }
        Ok(())
    }

    fn written(&self, run: RunId, input: &impl Serialize) -> Result<serde_json::Value, StartError> {
        serde_json::to_value(input)
            .map_err(|source| self.refused(CheckpointError::Input { run, source }))
    }

    fn go_on(
        &self,
        position: Position<S>,
        context: C,
        input: serde_json::Value,
    ) -> Result<PipeResult<S>, StartError> {
        let leg = Leg {
            resumed: Some(input),
            keeper: self.keeper(),
            records: self.records.clone(),
            ..Leg::at(position, Arc::new(context))
        };
        let kept = Some(leg.feed.listen(&kept_events()));
        let execution = Arc::new(Execution::new(&self.plan, leg));
        self.carry_out(Begun { execution, kept, events: None, tellings: Vec::new() })
    }

    pub(super) fn keeper(&self) -> Option<Keeper<S>> {
        let keeps = Arc::clone(self.keeps.as_ref()?);
        Some(Keeper { keeps, definition: self.digest(), steps: self.plan.lines() })
    }
}
