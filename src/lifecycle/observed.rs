//! What was seen: the remote set, the targets, the stored record. The answer to each step is folded in (`answer.rs`), and the next step is asked
//! of the result.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{
    entry_name::EntryName,
    publication::Local,
    record::{KeyRecord, Record},
    spec::source::{SourceKey, SourceState},
    step::RefusedWrite,
};
use crate::api::KeyState;
use crate::jwk::{Jwk, JwkSet, Kid};

/// Beyond this difference between our clock and the admin API's nothing is timed.
pub(super) const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(60);
/// A reading of the live set this old no longer counts as one made right before a write, even if nothing was done since.
const FRESHNESS: SignedDuration = SignedDuration::from_secs(1);

/// Everything that a decision needs to know about the world.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The remote set in its own order, newest first. The first private key signs.
    pub live: JwkSet,
    /// When `live` was read, if nothing was done since: every step takes time in which somebody else may write.
    pub live_read_at: Option<Timestamp>,
    /// Whether a private key was written since the order of the live set was read: on MySQL, which counts whole seconds, it may not stand in
    /// front.
    pub order_is_unread: bool,
    /// The keys that wait outside of the live set, in the set [`SetId::staged`](super::SetId::staged); `None` while they are not known: before they
    /// were read, unless the record says that there are none.
    pub staged: Option<JwkSet>,
    /// When `staged` was read, if nothing was written to it since.
    pub staged_read_at: Option<Timestamp>,
    /// What is where the entries import their keys from, by entry name.
    pub sources: BTreeMap<EntryName, SourceState>,
    /// Whether the server answered the generation of a key without its private half.
    pub is_opaque: bool,
    /// Foreign keys of which was told in this pass that they will leave.
    pub told: BTreeSet<Kid>,
    /// Kids that were taken out of a set in this pass.
    pub removed: BTreeSet<Kid>,
    /// What the admin API refused in this pass, and how.
    pub refused: BTreeMap<RefusedWrite, String>,
    /// What is known without the admin API: the record and the targets.
    pub local: Local,
    /// Whether the resource holds the operator's finalizer.
    pub finalizer: bool,
    /// Whether neither it nor a status was there when the pass began, so that no earlier pass can have written anything.
    pub is_first_look: bool,
    /// Since when every write of a pass was answered, in this process: a kid written down earlier may have been used and lost.
    pub answered_since: Timestamp,
    /// Until when a write that was not answered may still take effect, one that generates a key aside.
    pub in_flight_until: Option<Timestamp>,
    /// Until when the generation of a key that was not answered may still take effect.
    pub generating_until: Option<Timestamp>,
    /// Until when a write is assumed to be in flight for every resource that was looked at before, since another process may have been
    /// writing before this one started.
    pub unknown_until: Option<Timestamp>,
    /// Until when the same is assumed of a generation, where the status has the kid of a key that was never seen.
    pub unknown_generation_until: Option<Timestamp>,
    /// Kids that were written down in this pass, and surely not used before.
    pub reserved: BTreeSet<Kid>,
    /// How far the admin API's clock is ahead of ours.
    pub clock_skew: Option<SignedDuration>,
    /// When a key was last displaced as the one that signs, by kid.
    pub stopped_signing: BTreeMap<Kid, Timestamp>,
    /// When a private key was last written to the set.
    pub private_written_at: Option<Timestamp>,
}

impl Observed {
    /// The first observation of a pass: the record and the targets, everything else still to be filled in.
    pub fn new(local: Local) -> Self {
        Self {
            live: JwkSet::default(),
            live_read_at: None,
            order_is_unread: false,
            staged: (local.record.staged_keys == Some(0)).then(JwkSet::default),
            staged_read_at: None,
            sources: BTreeMap::new(),
            is_opaque: local.record.is_opaque,
            told: BTreeSet::new(),
            removed: BTreeSet::new(),
            refused: BTreeMap::new(),
            local,
            finalizer: false,
            is_first_look: false,
            answered_since: Timestamp::MAX,
            in_flight_until: None,
            generating_until: None,
            unknown_until: None,
            unknown_generation_until: None,
            reserved: BTreeSet::new(),
            clock_skew: None,
            stopped_signing: BTreeMap::new(),
            private_written_at: None,
        }
    }

    /// Notes whether the resource holds the operator's finalizer when the pass begins. Somebody may have taken it away: then the status is left.
    pub fn note_finalizer(&mut self, is_held: bool) {
        self.finalizer = is_held;
        self.is_first_look = !is_held && self.local.record.is_empty();
    }

    /// Whether our clock and the admin API's agree, so that times may be written down and timed steps taken.
    pub fn trusts_clock(&self) -> bool {
        self.clock_skew.is_none_or(|skew| skew.abs() <= CLOCK_TOLERANCE)
    }

    /// Until when a write that was not answered may still take effect, so that nothing may be written to the set, if that is so now.
    pub fn writes_blocked_until(&self, now: Timestamp) -> Option<Timestamp> {
        let unknown = self.unknown_until.filter(|_| !self.is_first_look);
        self.in_flight_until.into_iter().chain(unknown).max().filter(|until| now < *until)
    }

    /// Until when the generation of a key that was not answered may still take effect, if that is so now: it adds a key to the set, so that
    /// nothing but the removal of another key may be written.
    pub fn generation_may_land_until(&self, now: Timestamp) -> Option<Timestamp> {
        let unknown = self.unknown_generation_until.filter(|_| !self.is_first_look && self.may_have_been_generating());
        self.generating_until.into_iter().chain(unknown).max().filter(|until| now < *until)
    }

    /// Until when a write of any kind may still take effect, if that is so now.
    pub fn late_answers_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.writes_blocked_until(now).into_iter().chain(self.generation_may_land_until(now)).max()
    }

    /// Whether an earlier process may have asked for a key that was not seen yet. Its kid was written down before, but in a first pass.
    fn may_have_been_generating(&self) -> bool {
        let is_there = |kid: &str| self.live.key(kid).is_some() || self.staged_keys().iter().any(|key| key.kid() == Some(kid));
        let is_unseen =
            |(kid, key): (&Kid, &KeyRecord)| key.state == KeyState::Planned && !self.reserved.contains(kid) && !is_there(kid.as_str());
        self.local.record.is_empty() || self.local.record.keys.iter().any(is_unseen)
    }

    /// Whether the live set was read right before now.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.live_read_at.is_some_and(|read| now.duration_since(read).abs() <= FRESHNESS)
    }

    /// Whether the staged keys were read in this pass and not written since. Nobody else writes there.
    pub fn is_staged_fresh(&self) -> bool {
        self.staged_read_at.is_some()
    }

    /// The staged keys, none if they were not read.
    pub fn staged_keys(&self) -> &[Jwk] {
        self.staged.as_ref().map_or(&[], |staged| &staged.keys)
    }

    /// The private keys of the live set, in its order.
    pub fn private_keys(&self) -> impl Iterator<Item = &Jwk> {
        self.live.keys.iter().filter(|key| key.is_private())
    }

    /// The kid that the admin API signs with.
    pub fn signer(&self) -> Option<&str> {
        self.private_keys().next().and_then(Jwk::kid)
    }

    /// Whether a target could not be written in this pass, or a key was refused, so that it should be tried again soon.
    pub fn has_failures(&self) -> bool {
        !self.refused.is_empty() || self.local.has_failures()
    }

    /// The status now holds `record`.
    pub(super) fn record_was_stored(&mut self, record: Record) {
        let before = &self.local.record.keys;
        let is_new = |(kid, key): &(&Kid, &KeyRecord)| key.state == KeyState::Planned && !before.contains_key(*kid);
        self.reserved.extend(record.keys.iter().filter(is_new).map(|(kid, _)| kid.clone()));
        self.local.record_was_stored(record);
        self.live_read_at = None;
    }

    /// The key that the Secret of entry `name` holds.
    pub(super) fn source(&self, name: &EntryName) -> Option<&SourceKey> {
        match self.sources.get(name)? {
            SourceState::Held(held) => Some(held),
            SourceState::Missing { .. } | SourceState::NotLabelled | SourceState::Invalid { .. } => None,
        }
    }

    /// Whether one of the sources holds exactly this key.
    pub(super) fn source_supplies(&self, key: &Jwk) -> bool {
        self.sources.values().any(|source| matches!(source, SourceState::Held(held) if held.is(key)))
    }
}
