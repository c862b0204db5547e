//! Owns what puts a state back that a failed call has left behind: a clone of before the call, or
//! a factory. Refuses to know what the state is for.
//!
//! It lies beside the state and not around its node: what a node has seen, paired and kept is
//! bookkeeping that a failed turn does not touch, and may be too much to clone for every turn.

/// How a state is put back.
pub(crate) struct Mend<S> {
    clone: Option<fn(&S) -> S>,
    factory: Option<Box<dyn FnMut() -> S + Send>>,
    /// The state of before a call that has not succeeded.
    before: Option<S>,
}

impl<S> Default for Mend<S> {
    fn default() -> Mend<S> {
        Mend { clone: None, factory: None, before: None }
    }
}

impl<S> Mend<S> {
    pub(crate) fn by_clone(&mut self, clone: fn(&S) -> S) {
        self.clone = Some(clone);
    }

    pub(crate) fn by(&mut self, factory: Box<dyn FnMut() -> S + Send>) {
        self.factory = Some(factory);
    }

    /// The same, if anything was said of it.
    pub(crate) fn into_needed(self) -> Option<Box<Mend<S>>> {
        (self.restores() || self.restarts()).then(|| Box::new(self))
    }

    /// Whether the state of before a call that failed can be had back.
    pub(crate) fn restores(&self) -> bool {
        self.clone.is_some()
    }

    /// Whether there is a factory.
    pub(crate) fn restarts(&self) -> bool {
        self.factory.is_some()
    }

    /// A call begins: what the one before left behind, if that failed, gives way.
    #[inline]
    pub(crate) fn enter(&mut self, state: &mut S) {
        if let Some(clone) = self.clone {
            self.restore(state);
            self.before = Some(clone(state));
        }
    }

    #[cold]
    fn restore(&mut self, state: &mut S) {
        if let Some(before) = self.before.take() {
            *state = before;
        }
    }

    /// The call has succeeded.
    #[inline]
    pub(crate) fn leave(&mut self) {
        if self.before.is_some() {
            self.before = None;
        }
    }

    /// Makes a new state; `false` without a factory.
    pub(crate) fn restart(&mut self, state: &mut S) -> bool {
        let Some(factory) = &mut self.factory else { return false };
        self.before = None;
        *state = factory();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_fails_leaves_nothing_behind() {
        let mut mend = Mend::default();
        mend.by_clone(Vec::clone);
        let mut state = vec![1];
        mend.enter(&mut state);
        state.push(2);
        mend.leave();
        mend.enter(&mut state);
        state.push(3); // It fails here.
        mend.enter(&mut state);
        assert_eq!(state, [1, 2]);
        assert!(mend.restores() && !mend.restart(&mut state));
        mend.by(Box::new(Vec::new));
        assert!(mend.restart(&mut state) && state.is_empty());
        mend.enter(&mut state);
        assert!(state.is_empty());
    }
}
