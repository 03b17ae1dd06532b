//! What became of a step, and what is known after it. Nothing else changes what was seen.

use jiff::Timestamp;

use super::{
    Observed,
    publication::TargetState,
    spec::source::SourceState,
    step::{Place, RefusedWrite, Step},
};
use crate::jwk::{Jwk, JwkSet, Kid};

/// What became of a step.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It was carried out, and there is nothing more to know.
    Done,
    /// The set as it was read: of a reading, and of a symmetric key, since a PUT that somebody else sent at the same time may have won.
    Read {
        /// The set; empty if there is none.
        set: JwkSet,
        /// The admin API's own clock, if the answer has it.
        server_time: Option<Timestamp>,
    },
    /// The key as the admin API stored it.
    Written {
        /// The key; without its private half if the server keeps that to itself.
        key: Box<Jwk>,
        /// The admin API's own clock, if the answer has it.
        server_time: Option<Timestamp>,
    },
    /// Somebody else was faster (409): the set is not what it was.
    Conflict,
    /// The admin API refuses to store or to remove this one key.
    Refused {
        /// How, in words for anybody.
        message: String,
    },
    /// The Secret of an entry holds something else by now.
    SourceChanged(SourceState),
    /// What is where the target is.
    Target(TargetState),
    /// Nothing was done yet: others came first, and it is decided again.
    Waited,
}

impl Answer {
    /// Whether the step was carried out. That a kid exists already is the answer to an earlier request for it.
    pub(super) fn carries_out(&self, step: &Step) -> bool {
        match self {
            Self::Done | Self::Read { .. } | Self::Written { .. } => true,
            Self::Conflict => matches!(step, Step::CreateKey { .. }),
            Self::Target(state) => matches!(state, TargetState::Held(_) | TargetState::Absent),
            Self::Refused { .. } | Self::SourceChanged(_) | Self::Waited => false,
        }
    }
}

impl Observed {
    /// Folds in what became of a step at `now`.
    pub fn fold(&mut self, step: &Step, answer: Answer, now: Timestamp) {
        match (step, answer) {
            (_, Answer::Waited) => {}
            (_, Answer::Conflict) => self.is_stale(step.place()),
            (_, Answer::Refused { message }) => {
                self.refused.extend(RefusedWrite::of(step).map(|write| (write, message)));
            }
            (_, Answer::Read { set, server_time }) => self.was_read(step, set, server_time, now),
            (Step::CreateKey { place: Place::Staged, .. }, Answer::Written { key, server_time }) => {
                self.is_opaque |= !key.is_private();
                self.key_was_staged(*key, server_time, now);
            }
            (_, Answer::Written { key, server_time }) => {
                self.is_opaque |= matches!(step, Step::CreateKey { .. }) && !key.is_private();
                self.key_was_written(*key, server_time, now);
            }
            (Step::ImportKey { name, .. }, Answer::SourceChanged(state)) => _ = self.sources.insert(name.clone(), state),
            (Step::Target(step), Answer::Target(state)) => {
                self.local.target_was_written(step.id().clone(), state);
                self.live_read_at = None;
            }
            (_, Answer::Done | Answer::SourceChanged(_) | Answer::Target(_)) => self.was_done(step),
        }
    }

    fn was_read(&mut self, step: &Step, set: JwkSet, server_time: Option<Timestamp>, now: Timestamp) {
        match step.place() {
            Place::Staged => self.staged_was_read(set, server_time, now),
            Place::Live => {
                let before = self.signer().map(Kid::from);
                self.live_was_read(set, server_time, now);
                if matches!(step, Step::CreateSymmetricKey { .. }) {
                    self.private_written_at = Some(now);
                    self.stopped_signing.extend(before.filter(|before| self.signer() != Some(before.as_str())).map(|before| (before, now)));
                }
            }
        }
    }

    fn was_done(&mut self, step: &Step) {
        match step {
            Step::AddFinalizer => self.finalizer = true,
            Step::RemoveFinalizer { .. } => self.finalizer = false,
            Step::StoreRecord(record) => self.record_was_stored((**record).clone()),
            Step::TellUnmanagedLeave { kids } => self.told.extend(kids.iter().cloned()),
            Step::DeleteKey { place, kid, .. } => self.key_was_deleted(*place, kid),
            Step::DeleteSet => {
                self.live.keys.clear();
                self.live_read_at = None;
            }
            Step::Wait { .. } => {}
            // These have an answer of their own: without one nothing is known any more.
            Step::ReadLive
            | Step::ReadStaged
            | Step::CreateKey { .. }
            | Step::CreateSymmetricKey { .. }
            | Step::ImportKey { .. }
            | Step::PutKey { .. }
            | Step::Target(_) => self.is_stale(step.place()),
        }
    }

    fn live_was_read(&mut self, live: JwkSet, server_time: Option<Timestamp>, now: Timestamp) {
        self.live = live;
        self.live_read_at = Some(now);
        self.order_is_unread = false;
        // A server that shows a private half is not one that keeps it; and in an empty set nothing can be lost.
        self.is_opaque &= !self.live.keys.is_empty() && !self.live.keys.iter().any(Jwk::is_private);
        self.note_server_time(server_time, now);
    }

    fn staged_was_read(&mut self, staged: JwkSet, server_time: Option<Timestamp>, now: Timestamp) {
        self.staged = Some(staged);
        self.staged_read_at = Some(now);
        self.live_read_at = None;
        self.note_server_time(server_time, now);
    }

    /// A key now waits outside of the live set.
    fn key_was_staged(&mut self, key: Jwk, server_time: Option<Timestamp>, now: Timestamp) {
        let staged = self.staged.get_or_insert_default();
        staged.keys.retain(|other| other.kid() != key.kid());
        staged.keys.insert(0, key);
        self.staged_read_at = None;
        self.live_read_at = None;
        self.note_server_time(server_time, now);
    }

    /// A key is now the first of the live set, in the place of one of the same kid.
    fn key_was_written(&mut self, key: Jwk, server_time: Option<Timestamp>, now: Timestamp) {
        if key.is_private() {
            self.private_written_at = Some(now);
            self.order_is_unread = true;
            if let Some(displaced) = self.signer().filter(|signer| Some(*signer) != key.kid()).map(Kid::from) {
                self.stopped_signing.insert(displaced, now);
            }
        }
        self.live.keys.retain(|other| other.kid() != key.kid());
        self.live.keys.insert(0, key);
        self.live_read_at = None;
        self.note_server_time(server_time, now);
    }

    fn key_was_deleted(&mut self, place: Place, kid: &Kid) {
        self.removed.insert(kid.clone());
        match place {
            Place::Live => {
                self.live.keys.retain(|key| key.kid() != Some(kid.as_str()));
                self.live_read_at = None;
            }
            Place::Staged => {
                if let Some(staged) = &mut self.staged {
                    staged.keys.retain(|key| key.kid() != Some(kid.as_str()));
                }
                self.staged_read_at = None;
            }
        }
    }

    /// A set must be read again before anything is concluded from it.
    fn is_stale(&mut self, place: Place) {
        match place {
            Place::Live => self.live_read_at = None,
            Place::Staged => self.staged = None,
        }
    }

    fn note_server_time(&mut self, server_time: Option<Timestamp>, now: Timestamp) {
        if let Some(theirs) = server_time {
            self.clock_skew = Some(theirs.duration_since(now));
        }
    }
}
