//! Owns what is said of a step besides its name and what it does.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use selvedge_event::{Signature, Text};
use selvedge_runtime::FailurePolicy;

use super::super::body::{AsStep, body};
use super::super::control::{IntoControl, IntoKey};
use super::super::extract::StepFunction;
use super::super::machine::Join;
use super::super::state::Shares;
use super::Defined;

/// A step that has just been defined, to say more of it.
pub struct StepMut<'b, S, C, K> {
    pub(super) defined: &'b mut Defined<S, C>,
    pub(super) kind: PhantomData<K>,
}

/// Of a step that does something.
#[derive(Debug)]
pub struct IsStep;
/// Of a step that starts another for each item of a list.
#[derive(Debug)]
pub struct IsMap;
/// Of a step that chooses.
#[derive(Debug)]
pub struct IsSwitch;

/// One name or several.
pub trait Names {
    #[doc(hidden)]
    fn names(self) -> Vec<Text>;
}

impl Names for &str {
    fn names(self) -> Vec<Text> {
        vec![Text::from(self)]
    }
}

impl Names for String {
    fn names(self) -> Vec<Text> {
        vec![Text::from(self)]
    }
}

impl<T: Into<Text>, const N: usize> Names for [T; N] {
    fn names(self) -> Vec<Text> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<T: Into<Text>> Names for Vec<T> {
    fn names(self) -> Vec<Text> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<S: Shares, C: 'static, K> StepMut<'_, S, C, K> {
    /// What handles its failures. What it returns is done as if the step had returned it; if it
    /// fails itself, the [pipe's](super::PipeBuilder::on_error) handler is asked.
    pub fn on_error<A: 'static, F>(&mut self, handler: F) -> &mut Self
    where
        F: StepFunction<S, C, A>,
        F::Output: IntoControl,
    {
        self.defined.on_error = Some(body(AsStep, handler));
        self
    }

    /// When it is tried again after a failure: of a [`Retry`](selvedge_runtime::Retry) how often,
    /// after which waits, and for which errors. What it does in the end is what the pipe says of
    /// failed steps.
    pub fn on_failure(&mut self, policy: impl Into<FailurePolicy>) -> &mut Self {
        self.defined.on_failure = Some(policy.into());
        self
    }

    /// How long an attempt may take. One that takes longer has timed out: what it still does is
    /// ignored.
    pub fn time_limit(&mut self, limit: Duration) -> &mut Self {
        self.defined.time_limit = Some(limit);
        self
    }

    /// What it waits for, if several steps lead to it.
    pub fn join(&mut self, join: Join) -> &mut Self {
        self.defined.join = join;
        self
    }

    /// How long it waits for [all](Join::All) steps that lead to it, from the first; then it has
    /// failed.
    pub fn join_limit(&mut self, limit: Duration) -> &mut Self {
        self.defined.join_limit = Some(limit);
        self
    }

    /// Declares the version of its code, under a name for it: to be changed with it.
    pub fn version(&mut self, name: &str, version: &str) -> &mut Self {
        let code = Signature::of_version(Text::from(name), Text::from(version));
        self.defined.code = Some(code);
        self
    }

    /// Adds a tag, for people.
    pub fn tag(&mut self, tag: impl Into<Text>) -> &mut Self {
        self.defined.tags.push(tag.into());
        self
    }

    /// Says what it is for, for people.
    pub fn describe(&mut self, description: impl Into<Text>) -> &mut Self {
        self.defined.description = Some(description.into());
        self
    }
}

impl<S: Shares, C: 'static> StepMut<'_, S, C, IsStep> {
    /// What starts after it.
    pub fn to(&mut self, names: impl Names) -> &mut Self {
        self.defined.to.extend(names.names());
        self
    }

    /// Steps that it may [jump](crate::steps::Control::Jump) to: they are no first steps, and
    /// drawings show it. It may jump to others, too.
    pub fn may_jump_to(&mut self, names: impl Names) -> &mut Self {
        self.defined.jumps.extend(names.names());
        self
    }
}

impl<S: Shares, C: 'static> StepMut<'_, S, C, IsMap> {
    /// What starts after all its items.
    pub fn to(&mut self, names: impl Names) -> &mut Self {
        self.defined.to.extend(names.names());
        self
    }

    /// How many items are under way at a time; 1024 unless it is set, as the workers have room.
    pub fn at_a_time(&mut self, n: u32) -> &mut Self {
        self.defined.at_a_time = Some(n);
        self
    }

    /// How many items it may have; with more it fails. 2²⁴ unless it is set.
    pub fn items_max(&mut self, n: u32) -> &mut Self {
        self.defined.items_max = n;
        self
    }
}

impl<S: Shares, C: 'static> StepMut<'_, S, C, IsSwitch> {
    /// Where a key leads.
    pub fn on(&mut self, key: impl IntoKey, step: &str) -> &mut Self {
        self.route(key, Some(Text::from(step)))
    }

    /// A key that [stops](crate::steps::Control::Stop) the run.
    pub fn stop_on(&mut self, key: impl IntoKey) -> &mut Self {
        self.route(key, None)
    }

    fn route(&mut self, key: impl IntoKey, step: Option<Text>) -> &mut Self {
        // Keys that are written down are no errors.
        if let Ok(key) = key.into_key() {
            self.defined.routes.push((key, step));
        }
        self
    }

    /// Where all other keys lead. Without it they are failures.
    pub fn otherwise(&mut self, step: &str) -> &mut Self {
        self.defined.otherwise = Some(Some(Text::from(step)));
        self
    }

    /// All other keys stop the run.
    pub fn otherwise_stop(&mut self) -> &mut Self {
        self.defined.otherwise = Some(None);
        self
    }
}

impl<S, C, K> fmt::Debug for StepMut<'_, S, C, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepMut").field("name", &self.defined.name).finish_non_exhaustive()
    }
}
