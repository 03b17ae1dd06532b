//! A look at everything that is in progress: each phase of the plan is a part of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    Desired, Observed,
    findings::{Severity, Trouble},
    kid::{self, Slot},
    rank::Rank,
    record::Record,
    step::Step,
};
use crate::{
    api::{Origin, Reason},
    jwk::PublicJwk,
};

/// The result of one look at everything.
#[derive(Clone, Debug)]
pub struct Assessment {
    /// What must be remembered.
    pub record: Record,
    /// The public halves to publish, by kid.
    pub published: BTreeMap<String, PublicJwk>,
    /// What is due, first things first.
    pub steps: Vec<Step>,
    /// What blocks it.
    pub troubles: Vec<Trouble>,
    /// When the next thing falls due by itself.
    pub due: Option<Timestamp>,
    /// When the next key is due to sign.
    pub next_rotation: Option<Timestamp>,
    /// Where Hydra or verifiers are known to misbehave with what the spec asks for.
    pub limitations: Vec<String>,
}

/// A look in progress.
pub(super) struct Assessor<'world> {
    pub(super) desired: &'world Desired,
    pub(super) seen: &'world Observed,
    pub(super) now: Timestamp,
    pub(super) record: Record,
    /// What the operator's own targets publish and may be believed: whoever may change a target must not put a key into the set by it, so that
    /// nothing but what the status planned or recorded is read back, unless the status was lost.
    pub(super) remembered: BTreeMap<String, PublicJwk>,
    /// All kids that the operator's own targets hold, also those that could not be written in this pass.
    pub(super) held_kids: BTreeSet<String>,
    /// Own kids whose live material is not what was recorded: somebody else put it there.
    pub(super) replaced: BTreeSet<String>,
    /// Kids that an entry of the spec names, or that are to be made for one.
    pub(super) explained: BTreeSet<String>,
    /// Kids that leave the targets, and then the set.
    pub(super) expired: BTreeSet<String>,
    /// The private key that serves each entry, by entry name.
    pub(super) active: BTreeMap<String, String>,
    /// Kids of staged keys that wait for their time.
    pub(super) kept_staged: BTreeSet<String>,
    /// Whether no private key of the set may sign.
    pub(super) lacks_private_key: bool,
    /// The entry that can put a private key into the set now.
    pub(super) capable: Option<String>,
    pub(super) next_rotation: Option<Timestamp>,
    pub(super) steps: Vec<(Rank, Step)>,
    pub(super) troubles: Vec<Trouble>,
    pub(super) due: Option<Timestamp>,
}

impl Assessor<'_> {
    /// The time, if it may be written down and acted on.
    pub(super) fn timed(&self) -> Option<Timestamp> {
        self.seen.trusts_clock().then_some(self.now)
    }

    pub(super) fn add(&mut self, rank: Rank, step: Step) {
        self.steps.push((rank, step));
    }

    pub(super) fn stalled(&mut self, reason: Reason, message: String) {
        self.troubles.push(Trouble { reason, message, severity: Severity::Stalled, publication: false });
    }

    pub(super) fn notice(&mut self, reason: Reason, message: String) {
        self.troubles.push(Trouble { reason, message, severity: Severity::Notice, publication: false });
    }

    /// Asks to be called again at `moment`. What is past and could not be done waits for something else.
    pub(super) fn wake_at(&mut self, moment: Timestamp) {
        if moment <= self.now {
            return;
        }
        self.due = Some(self.due.map_or(moment, |due| due.min(moment)));
    }
}

/// Whether the resource is in its very first pass, where kids follow from its creation and nothing needs to be stored ahead: it has no status,
/// and had no finalizer, without which nothing is ever written for it.
pub(super) fn is_first_pass(seen: &Observed) -> bool {
    seen.is_first_look && seen.local.record.is_empty()
}

/// Who made the set, as far as it can be known: from the record; else the set is the operator's if it is not there yet, or if every key in it
/// carries the slot that this resource's first pass gives.
pub(super) fn origin(desired: &Desired, seen: &Observed) -> Origin {
    let first_slot = Slot::at(desired.created);
    seen.local.record.origin.unwrap_or_else(|| {
        let is_ours =
            |kid: Option<&str>| kid.and_then(|kid| kid::parse_generated(&desired.set, kid)).is_some_and(|(_, slot)| slot == first_slot);
        if seen.live.keys.iter().all(|key| is_ours(key.kid())) { Origin::Created } else { Origin::Found }
    })
}
