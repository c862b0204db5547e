//! Owns items of a map that need permits, or that an executor computes.

use std::any::Any;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use selvedge_runtime::TaskContext;

use super::Items;
use super::over::Over;
use crate::executor::{Executor, Home, encoded};
use crate::input::Given;
use crate::outcome::Outcome;
use crate::run::{CameTo, Elsewhere, Sending, Sent, Took};

impl<O: Over> Items<O> {
    /// The turn of such an item.
    pub(super) fn turn_apart(&self, cx: &mut TaskContext<'_>, index: u32) -> Result<()> {
        let execution = &self.execution;
        if execution.is_late(self.node) {
            self.passes.give_back(index);
            return Ok(()); // Nobody needs it any more.
        }
        let (priority, limits) = (execution.priority(self.node), execution.limits(self.node));
        if !self.passes.enter(cx, index, priority, limits) {
            return Ok(());
        }
        match (self.elsewhere.returned(index, cx.attempt()), execution.executor(self.node)) {
            (Some((came_to, sent)), _) => self.come_back(cx, index, came_to, &sent)?,
            (None, Some(executor)) if !self.is_over(cx, index) => {
                if self.send_away(cx, index, executor)? == Sending::Away {
                    return Ok(());
                }
            }
            (None, Some(_)) => {}
            (None, None) => self.turn_here(cx, index)?,
        }
        self.passes.give_back(index);
        Ok(())
    }

    /// Whether the item's value is there from an earlier run: then it has ended.
    fn is_over(&self, cx: &TaskContext<'_>, index: u32) -> bool {
        let started = Some(cx.elapsed());
        let Some((value, run)) = self.reuse(index) else { return false };
        self.end(index, Outcome::Ok(value), Took::since(started, cx).reused_from(run));
        true
    }

    fn send_away(
        &self,
        cx: &mut TaskContext<'_>,
        index: u32,
        executor: &Arc<dyn Executor>,
    ) -> Result<Sending> {
        let mut info = self.execution.info(self.node, cx.attempt());
        info.node = self.name(index);
        let sent = Sent { given: self.given.clone(), started: cx.elapsed() };
        let me = self.me.upgrade().expect("it is borrowed from where it is shared");
        let home: Arc<dyn Home> = me;
        let sending = self.elsewhere.send(cx, (home, index), &**executor, info, sent);
        if sending == Sending::Done {
            let back = self.elsewhere.returned(index, cx.attempt());
            let kept = || anyhow!("its executor has kept work that it was to end at once");
            let (came_to, sent) = back.ok_or_else(kept)?;
            self.come_back(cx, index, came_to, &sent)?;
        }
        Ok(sending)
    }

    fn come_back(
        &self,
        cx: &TaskContext<'_>,
        index: u32,
        came_to: CameTo,
        sent: &Sent,
    ) -> Result<()> {
        let outcome = match came_to {
            Ok(value) => match value.downcast::<O::Made>() {
                Ok(value) => Outcome::Ok(*value),
                Err(_) => unreachable!("the work of an item makes what the map makes of it"),
            },
            Err(fault) => Outcome::Skipped(fault.skips()?),
        };
        self.end(index, outcome, Took::since(Some(sent.started), cx));
        Ok(())
    }
}

impl<O: Over> Home for Items<O> {
    fn compute(&self, index: u32, given: &[Given]) -> Result<Box<dyn Any + Send>> {
        Ok(Box::new(self.over.call(&self.items, index as usize, &given[self.n_over..])?))
    }

    fn inputs_json(&self, index: u32, given: &[Given]) -> Result<Vec<u8>> {
        let plan = &self.execution.plan;
        let mut values = self.over.json(&self.items, index as usize)?;
        values.extend(encoded(plan.inputs(self.node).iter().zip(given).skip(self.n_over))?);
        Ok([b"[", &values.join(&b","[..])[..], b"]"].concat())
    }

    fn read(&self, _: u32, json: &[u8]) -> serde_json::Result<Box<dyn Any + Send>> {
        Ok(Box::new(serde_json::from_slice::<O::Made>(json)?))
    }

    fn elsewhere(&self) -> &Elsewhere {
        &self.elsewhere
    }
}
