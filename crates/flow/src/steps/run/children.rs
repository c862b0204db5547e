//! Owns runs within a run: how they are begun for a step, and what follows from their ends.

use std::sync::Arc;

use anyhow::anyhow;
use selvedge_event::{Canceller, Outcome as Ending};
use selvedge_runtime::{Result, TaskContext};

use super::super::event::What;
use super::super::machine::End;
use super::super::state::{Changes, Shares};
use super::super::sub::{Child, ChildEnd, Site};
use super::{Errand, Execution};

impl<S: Shares, C: Send + Sync + 'static> Execution<S, C> {
    /// A run within this one that a slot goes on with, if one waits.
    pub(super) fn child_that_waits(&self, slot: u32) -> Option<(Box<dyn Child<S, C>>, u64)> {
        let mut inner = self.inner.lock();
        if inner.is_ending {
            return None;
        }
        let stood = inner.children.remove(&slot)?;
        let step = inner.machine.slot(slot)?.step;
        let doing = inner.doing(slot);
        doing.turn += 1;
        doing.is_told = true;
        let turn = doing.turn;
        Some((self.plan.step(step).sub.as_ref()?.resume(&stood), turn))
    }

    /// Begins a run within this one, or goes on with it.
    pub(super) fn send_away(
        self: &Arc<Self>,
        slot: u32,
        turn: u64,
        child: Box<dyn Child<S, C>>,
        cx: &mut TaskContext<'_>,
    ) -> Result {
        let site = Site { execution: Arc::clone(self), slot, turn };
        let opened = child.open(site, cx);
        let mut inner = self.inner.lock();
        if inner.is_ending || inner.doing(slot).turn != turn {
            if let Ok(control) = opened {
                control.cancel(Canceller::Parent);
            }
            return Ok(());
        }
        match opened {
            Ok(control) => {
                inner.controls.insert(slot, control);
                self.drive(&mut inner, cx, |machine, shape, fx| {
                    machine.send_away(shape, slot, fx);
                });
            }
            Err(error) => {
                self.disarm(&mut inner, slot, cx);
                self.failed_in_turn(&mut inner, slot, Arc::new(error), false, cx);
            }
        }
        self.go_on(inner, cx);
        Ok(())
    }

    /// A run within this one has ended, and says so in the last turn of its scope.
    pub(crate) fn child_ended(&self, slot: u32, end: ChildEnd<S>, cx: &mut TaskContext<'_>) {
        self.inner.lock().ended_children.insert(slot, end);
        cx.post_to_parent(Errand::Child(slot).task());
    }

    /// What follows from that.
    pub(super) fn child_came_back(&self, slot: u32, cx: &mut TaskContext<'_>) -> Result {
        let mut inner = self.inner.lock();
        let Some(end) = inner.ended_children.remove(&slot) else { return Ok(()) };
        if inner.is_ending || inner.doing(slot).turn != end.turn {
            return Ok(());
        }
        inner.controls.remove(&slot);
        inner.machine.come_back(slot);
        match (end.finished.ending, end.stood) {
            (Ending::Suspended, Some(stood)) => {
                let reason = end.finished.reason.unwrap_or_default();
                inner.suspended.get_or_insert_with(|| reason.into());
                inner.children.insert(slot, stood);
                self.drive(&mut inner, cx, |machine, shape, fx| machine.hold(shape, slot, fx));
            }
            (Ending::Succeeded, _) => {
                self.disarm(&mut inner, slot, cx);
                inner.change(slot, Changes::one(end.merge))?;
                self.end(&mut inner, slot, What::StepEnd, End::Next, cx);
            }
            (Ending::Cancelled { .. }, _) => {
                self.disarm(&mut inner, slot, cx);
                let reason = end.finished.reason.unwrap_or_default().into();
                self.step_cancelled(&mut inner, slot, &reason, cx);
            }
            (ending, _) => {
                self.disarm(&mut inner, slot, cx);
                let error = Arc::new(anyhow!("the pipe within it {ending}"));
                self.failed_in_turn(&mut inner, slot, error, false, cx);
            }
        }
        self.go_on(inner, cx);
        Ok(())
    }
}
