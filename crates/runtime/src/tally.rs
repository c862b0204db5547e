//! Owns `Tally`: what has become of deliveries, as one worker counts them and as all do together.

/// Counts of deliveries; each worker keeps its own and settles it under the lock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) accepted: u64,
    pub(crate) handled: u64,
    pub(crate) dead: u64,
    /// Given up because a mailbox was full and its policy says so.
    pub(crate) dropped: u64,
    pub(crate) unrouted: u64,
    /// Emissions that descend from no outside submission.
    pub(crate) inside: u64,
    /// What accepted deliveries weigh, and what those weigh that have come to an end.
    pub(crate) bytes_accepted: u64,
    pub(crate) bytes_ended: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Tally) {
        self.accepted += other.accepted;
        self.handled += other.handled;
        self.dead += other.dead;
        self.dropped += other.dropped;
        self.unrouted += other.unrouted;
        self.inside += other.inside;
        self.bytes_accepted += other.bytes_accepted;
        self.bytes_ended += other.bytes_ended;
    }

    /// Turns that came to their end.
    #[inline]
    pub(crate) fn n_ended(&self) -> u64 {
        self.handled + self.dead
    }

    /// Deliveries begun less deliveries ended. Negative for a worker that handled more than it
    /// sent; never for all of them together.
    #[inline]
    pub(crate) fn in_flight(&self) -> i64 {
        self.accepted.cast_signed() - (self.handled + self.dead + self.dropped).cast_signed()
    }

    /// By how many bytes what is under way has become more, or less, since this was told.
    #[inline]
    pub(crate) fn untold_bytes(&self) -> u64 {
        self.bytes_accepted.abs_diff(self.bytes_ended)
    }

    /// What the deliveries under way weigh, to within a parcel each.
    pub(crate) fn bytes_in_flight(&self) -> usize {
        usize::try_from(self.bytes_accepted.saturating_sub(self.bytes_ended)).unwrap_or(usize::MAX)
    }
}
