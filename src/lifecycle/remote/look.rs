//! What every phase of the plan reads, and none writes.

use std::time::Duration;

use jiff::Timestamp;

use crate::lifecycle::{
    Desired, Observed,
    entry_name::EntryName,
    kid::{self, Slot},
    record::Record,
    spec::entry::{Entry, Source},
};
use crate::{
    api::{KeyState, Origin},
    jwk::Jwk,
};

/// What is wanted, what was seen, and when.
#[derive(Clone, Copy)]
pub(in crate::lifecycle) struct Look<'world> {
    pub(in crate::lifecycle) desired: &'world Desired,
    pub(in crate::lifecycle) seen: &'world Observed,
    pub(in crate::lifecycle) now: Timestamp,
}

impl<'world> Look<'world> {
    /// The time, if it may be written down and acted on.
    pub(in crate::lifecycle) fn timed(self) -> Option<Timestamp> {
        self.seen.trusts_clock().then_some(self.now)
    }

    /// Whether a generated kid is of this resource, or of one of its namespace before it. Where another namespace may write the set, too, its
    /// keys must not pass on: what is not recorded is somebody else's.
    pub(in crate::lifecycle) fn is_own_generated(self, record: &Record, kid: &str, slot: Slot) -> bool {
        let is_recorded = record.keys.get(kid).is_some_and(|record| record.state != KeyState::Unmanaged);
        self.desired.is_exclusive || is_recorded || slot == Slot::at(self.desired.created)
    }

    /// Whether an entry supplies exactly this key: its kid and its material.
    pub(in crate::lifecycle) fn supplies(self, key: &Jwk) -> bool {
        self.desired.supplies(key) || self.seen.source_supplies(key)
    }

    /// The entry that gives its key this kid.
    pub(in crate::lifecycle) fn supplier(self, kid: &str) -> Option<&'world Entry> {
        self.desired.entries.iter().find(|entry| match &entry.source {
            Source::Public { kid: supplied, .. } => *supplied == *kid,
            Source::Import(import) => {
                import.kid.as_deref() == Some(kid) || self.seen.source(&entry.name).is_some_and(|held| held.kid == *kid)
            }
            Source::Generate { .. } | Source::Invalid(_) => false,
        })
    }

    /// The entry that signs: the one that the spec names, else the first that may supply a private key. Of a Secret that cannot be read nobody
    /// knows what it holds.
    pub(in crate::lifecycle) fn signer_entry(self) -> Option<&'world EntryName> {
        let may_sign = |entry: &&Entry| match &entry.source {
            Source::Generate { .. } => true,
            Source::Import(_) => self.seen.source(&entry.name).is_none_or(|held| held.is_private),
            Source::Public { .. } => false,
            Source::Invalid(invalid) => invalid.is_private,
        };
        self.desired.signer.as_ref().or_else(|| self.desired.entries.iter().find(may_sign).map(|entry| &entry.name))
    }

    /// How long the public half of a key of this entry stays, if there is such an entry.
    pub(in crate::lifecycle) fn retain_of(self, name: &EntryName) -> Option<Duration> {
        self.desired.entries.iter().find(|entry| entry.name == *name).map(|entry| entry.timing.retain)
    }
}

/// Whether the resource is in its very first pass, where kids follow from its creation and nothing needs to be stored ahead: it has no status,
/// and had no finalizer, without which nothing is ever written for it.
pub(in crate::lifecycle) fn is_first_pass(seen: &Observed) -> bool {
    seen.is_first_look && seen.local.record.is_empty()
}

/// Who made the set, as far as it can be known: from the record; else the set is the operator's if it is not there yet, or if every key in it
/// carries the slot that this resource's first pass gives.
pub(in crate::lifecycle) fn origin(desired: &Desired, seen: &Observed) -> Origin {
    let first_slot = Slot::at(desired.created);
    seen.local.record.origin.unwrap_or_else(|| {
        let is_ours =
            |kid: Option<&str>| kid.and_then(|kid| kid::parse_generated(&desired.set, kid)).is_some_and(|(_, slot)| slot == first_slot);
        if seen.live.keys.iter().all(|key| is_ours(key.kid())) { Origin::Created } else { Origin::Found }
    })
}
