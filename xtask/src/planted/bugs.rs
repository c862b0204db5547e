//! The list of planted bugs: what each does, and which test finds it. Runs nothing.

/// A suite of tests that is built with the bugs in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suite {
    Unit,
    Loom,
    Shuttle,
    System,
}

/// A bug, and the cheapest test that finds it.
#[derive(Debug)]
pub(super) struct Bug {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) suite: Suite,
    pub(super) test: &'static str,
}

impl Suite {
    pub(super) const ALL: [Suite; 4] = [Suite::Unit, Suite::Loom, Suite::Shuttle, Suite::System];

    pub(super) fn name(self) -> &'static str {
        match self {
            Suite::Unit => "unit",
            Suite::Loom => "loom",
            Suite::Shuttle => "shuttle",
            Suite::System => "system",
        }
    }

    /// What cargo is told to build.
    pub(super) fn target(self) -> &'static str {
        match self {
            Suite::Unit => "--package selvedge-runtime --lib",
            Suite::Loom => "--package selvedge-runtime --test loom",
            Suite::Shuttle => "--package selvedge-runtime --test shuttle",
            Suite::System => "--package selvedge-tests --test all",
        }
    }

    pub(super) fn rustflags(self) -> &'static str {
        match self {
            Suite::Unit | Suite::System => "--cfg selvedge_planted",
            Suite::Loom => "--cfg loom --cfg selvedge_planted",
            Suite::Shuttle => "--cfg shuttle --cfg selvedge_planted",
        }
    }

    /// Where cargo would run it.
    pub(super) fn dir(self) -> &'static str {
        match self {
            Suite::Unit | Suite::Loom | Suite::Shuttle => "crates/runtime",
            Suite::System => "tests",
        }
    }
}

const fn bug(name: &'static str, what: &'static str, suite: Suite, test: &'static str) -> Bug {
    Bug { name, what, suite, test }
}

/// All of them.
pub(super) const BUGS: [Bug; 23] = [
    bug(
        "failed-turn-heard",
        "a failed turn's emissions stay in the outbox",
        Suite::Unit,
        "outbox::tests::a_failed_turn_is_cut_off_wherever_it_goes_on_from",
    ),
    bug(
        "band-inversion",
        "a worker doesn't look whether a lower band has jobs elsewhere",
        Suite::Unit,
        "shards::tests::whoever_takes_takes_the_oldest_of_the_lowest_band",
    ),
    bug(
        "post-relaxed",
        "a post publishes the letter without `Release`",
        Suite::Loom,
        "mailboxes::every_letter_has_one_turn_in_its_senders_order",
    ),
    bug(
        "release-relaxed",
        "an owner gives the mailbox back without `Release`",
        Suite::Loom,
        "mailboxes::who_finds_it_idle_has_it_alone",
    ),
    bug(
        "lost-wake-up",
        "a release doesn't look at what was posted meanwhile",
        Suite::Loom,
        "mailboxes::two_senders_keep_a_mailbox_busy",
    ),
    bug(
        "stale-pull",
        "the entry of a pull is followed although mail has come",
        Suite::Loom,
        "mailboxes::mail_overtakes_a_pull",
    ),
    bug(
        "mail-not-freed",
        "a mailbox that is dropped forgets its mail",
        Suite::Loom,
        "mailboxes::a_mailbox_that_goes_takes_its_mail_along",
    ),
    bug(
        "no-fence",
        "nothing orders making work before looking for sleepers",
        Suite::Loom,
        "sleepers::a_worker_that_falls_asleep_misses_nothing",
    ),
    bug(
        "early-quiescence",
        "a run is taken for quiet while a shard has jobs",
        Suite::Shuttle,
        "phases_wake_those_who_went_idle",
    ),
    bug(
        "surplus-sleeps",
        "nobody is woken for what a worker doesn't take itself",
        Suite::Shuttle,
        "who_sleeps_is_woken_for_what_another_does_not_take",
    ),
    bug(
        "last-one-out",
        "the last submitter tells nobody that it is gone",
        Suite::Shuttle,
        "the_last_submitter_leaves_while_all_are_idle",
    ),
    bug(
        "lane-opened-early",
        "a lane is opened to the next worker before its events are posted",
        Suite::Shuttle,
        "a_lane_that_two_workers_empty_keeps_its_order",
    ),
    bug(
        "late-publication",
        "a mailbox is given back before its batch's emissions are posted",
        Suite::Shuttle,
        "order_survives_lanes_and_relays",
    ),
    bug(
        "missed-poison",
        "those who hear the poison are not told",
        Suite::Shuttle,
        "a_stop_at_the_last_moment_tells_everyone_the_same",
    ),
    bug(
        "processor-kept",
        "handles that outlive the run keep its processors",
        Suite::Shuttle,
        "a_dropped_run_lets_everyone_go",
    ),
    bug(
        "double-delivery",
        "a batch that ends early doesn't note how far it came",
        Suite::Shuttle,
        "order_survives_lanes_and_relays",
    ),
    bug(
        "late-turn-unasked",
        "a worker that comes back late doesn't ask whether it was written off",
        Suite::Shuttle,
        "watchdog::a_turn_ends_while_it_is_written_off",
    ),
    bug(
        "lost-worker-counts",
        "a worker that was written off counts as running still",
        Suite::Shuttle,
        "watchdog::a_run_gets_quiet_by_a_turn_that_is_written_off",
    ),
    bug(
        "unbalanced",
        "what was handled of a parcel counts as given up as well",
        Suite::System,
        "failure::a_failing_turn_fails_the_run_and_what_it_emitted_reaches_nobody",
    ),
    bug(
        "timers-are-no-work",
        "a run is taken for quiet while timers run",
        Suite::System,
        "timers::a_run_waits_for_its_timers_and_tells_them_in_order",
    ),
    bug(
        "retry-overtakes",
        "a mailbox goes on while an attempt of its own is waited for",
        Suite::System,
        "timers::while_a_retry_waits_so_does_the_mailbox_unless_others_may_pass",
    ),
    bug(
        "reply-held",
        "a reply waits for the end of its batch",
        Suite::System,
        "lifecycle::a_reply_does_not_wait_for_the_next_turn_of_its_batch",
    ),
    bug(
        "heard-before-kept",
        "a cached turn's record is written after what it emitted is published",
        Suite::System,
        "caching::archives::no_record_is_lost_that_somebody_heard_of",
    ),
];
