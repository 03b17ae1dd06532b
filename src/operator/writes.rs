//! The writes to remote sets that were sent and got no answer, by set and not by resource: a write for a deleted resource may still land in its
//! successor's set.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    api::AdminApiSpec,
    lifecycle::{SetId, spec::claim},
};

/// How long the time of a private write is kept. The next private write waits about a second.
const PRIVATE_WRITE_KEPT: Duration = Duration::from_secs(60);
/// How long each set has its own time of an unanswered write.
const UNANSWERED_KEPT: Duration = Duration::from_secs(3600);
/// How often entries that no longer matter are removed.
const BETWEEN_SWEEPS: Duration = Duration::from_secs(60);

/// Names a remote set: the server, whatever AdminApi reaches it, and the id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RemoteSet {
    server: String,
    set: SetId,
}

impl RemoteSet {
    /// The set of this id behind an AdminApi.
    pub(super) fn new(api: &AdminApiSpec, set: &SetId) -> Self {
        Self { server: claim::server(api), set: set.clone() }
    }
}

/// What is known of the writes to all sets.
#[derive(Default)]
pub(super) struct Writes {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    sets: HashMap<RemoteSet, SetWrites>,
    /// The latest unanswered write of the sets that are not listed. It holds for every set: a later time only makes fewer planned kids count
    /// as unused, while an earlier one could use a kid twice.
    unanswered: Option<Instant>,
    swept: Option<Instant>,
}

/// The writes to one set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SetWrites {
    /// Until when a write that was not answered may still take effect, one that generates a key aside.
    pub(super) in_flight_until: Option<Instant>,
    /// Until when the generation of a key that was not answered may still take effect.
    pub(super) generating_until: Option<Instant>,
    /// When a write was last not answered.
    pub(super) unanswered: Option<Instant>,
    /// When a private key was last written.
    pub(super) private_written: Option<Instant>,
}

impl Writes {
    /// A write is about to be sent. Until it is answered, it counts as in flight for `late_answers`. Answers what was known before it.
    pub(super) fn begin(&self, set: &RemoteSet, generates_key: bool, late_answers: Duration) -> SetWrites {
        let now = Instant::now();
        let mut known = self.lock();
        known.sweep(now);
        let writes = known.sets.entry(set.clone()).or_default();
        let before = *writes;
        let until = if generates_key { &mut writes.generating_until } else { &mut writes.in_flight_until };
        *until = Some(now + late_answers).max(*until);
        writes.unanswered = Some(now);
        before
    }

    /// The write was answered, or cannot have taken effect: what was known before it holds again.
    pub(super) fn end(&self, set: &RemoteSet, before: SetWrites, wrote_private_key: bool) {
        let private_written = if wrote_private_key { Some(Instant::now()) } else { before.private_written };
        let after = SetWrites { private_written, ..before };
        let mut known = self.lock();
        if after == SetWrites::default() {
            known.sets.remove(set);
        } else {
            known.sets.insert(set.clone(), after);
        }
    }

    /// What is known of the writes to a set.
    pub(super) fn seen(&self, set: &RemoteSet) -> SetWrites {
        let known = self.lock();
        let mut seen = known.sets.get(set).copied().unwrap_or_default();
        seen.unanswered = seen.unanswered.max(known.unanswered);
        seen
    }

    /// Whether a write may still take effect that was not answered.
    pub(super) fn are_any_in_flight(&self) -> bool {
        let now = Instant::now();
        self.lock().sets.values().any(|writes| writes.may_land(now))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // A panic while the lock was held leaves nothing half done that matters.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Removes what no longer matters, now and then.
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now < swept + BETWEEN_SWEEPS) {
            return;
        }
        self.swept = Some(now);
        let latest = &mut self.unanswered;
        self.sets.retain(|_, writes| {
            let matters = writes.matters(now);
            if !matters {
                *latest = (*latest).max(writes.unanswered);
            }
            matters
        });
        self.sets.shrink_to(2 * self.sets.len());
    }
}

impl SetWrites {
    fn may_land(&self, now: Instant) -> bool {
        self.in_flight_until.max(self.generating_until).is_some_and(|until| now < until)
    }

    fn matters(&self, now: Instant) -> bool {
        self.may_land(now)
            || self.private_written.is_some_and(|written| now < written + PRIVATE_WRITE_KEPT)
            || self.unanswered.is_some_and(|unanswered| now < unanswered + UNANSWERED_KEPT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str) -> RemoteSet {
        RemoteSet { server: "https://hydra:4445".to_owned(), set: name.into() }
    }

    #[test]
    fn nothing_is_kept_of_what_is_over() {
        let writes = Writes::default();
        let before = writes.begin(&set("a"), false, Duration::from_secs(60));
        assert!(writes.are_any_in_flight());
        writes.end(&set("a"), before, false);
        assert!(writes.lock().sets.is_empty(), "an answered write leaves nothing");

        let before = writes.begin(&set("a"), true, Duration::from_secs(60));
        writes.end(&set("a"), before, true);
        let now = Instant::now();
        writes.lock().sweep(now + BETWEEN_SWEEPS / 2);
        assert_eq!(writes.lock().sets.len(), 1, "the next private write still waits");
        writes.lock().sweep(now + 2 * BETWEEN_SWEEPS);
        assert!(writes.lock().sets.is_empty());
        assert_eq!(writes.seen(&set("a")), SetWrites::default());
    }

    #[test]
    fn a_write_without_an_answer_outlives_its_entry() {
        let writes = Writes::default();
        writes.begin(&set("a"), true, Duration::from_secs(7200));
        let unanswered = writes.seen(&set("a")).unanswered.expect("a time");
        writes.lock().sweep(unanswered + UNANSWERED_KEPT + BETWEEN_SWEEPS);
        assert!(writes.are_any_in_flight() && writes.seen(&set("a")).generating_until.is_some(), "it may still land");
        writes.lock().sweep(unanswered + 2 * UNANSWERED_KEPT + BETWEEN_SWEEPS);
        assert!(writes.lock().sets.is_empty());
        assert_eq!(writes.seen(&set("a")).unanswered, Some(unanswered), "a kid that was planned before is not used again");
    }
}
