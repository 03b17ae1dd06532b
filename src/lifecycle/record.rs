//! What the operator must not forget about the keys of a set: the part of the status that it reads back.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{entry_name::EntryName, kid::Slot, publication::TargetId};
use crate::api::{JsonWebKeySetStatus, KeyState, KeyStatus, Origin, Reason};
use crate::jwk::{Kid, PublicJwk, Thumbprint};

/// How long a public half stays after its key stopped signing.
pub const DEFAULT_RETAIN: Duration = Duration::from_secs(48 * 3600);

/// The memory of one set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Who made the set; `None` before the first look.
    pub origin: Option<Origin>,
    /// The server at which the set was last seen; `None` before the first look.
    pub server: Option<String>,
    /// The kid of the key that was seen to sign.
    pub signer: Option<Kid>,
    /// The keys, by kid.
    pub keys: BTreeMap<Kid, KeyRecord>,
    /// The newest slot ever used, by entry name.
    pub slots: BTreeMap<EntryName, Slot>,
    /// The targets that were written.
    pub targets: BTreeSet<TargetId>,
    /// The annotation that asked for a rotation and was answered last.
    pub handled_rotate_at: Option<String>,
    /// Whether the server was found to keep private keys to itself.
    pub is_opaque: bool,
    /// How many keys wait in the staged set; `None` while that is not known, and before a key is put there. So a process that starts need not
    /// ask whether an empty one is empty.
    pub staged_keys: Option<usize>,
}

/// The memory of one key.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyRecord {
    /// The entry the key belongs or belonged to.
    pub name: Option<EntryName>,
    /// Where it is in its life.
    pub state: KeyState,
    /// Its thumbprint; `None` before it was seen, and for symmetric keys.
    pub thumbprint: Option<Thumbprint>,
    /// Its public half, likewise.
    pub jwk: Option<PublicJwk>,
    /// How long the public half stays.
    pub retain: Duration,
    /// When the kid was written down.
    pub planned_at: Option<Timestamp>,
    /// Since when set and targets were seen to hold its public half.
    pub announced_at: Option<Timestamp>,
    /// When it was first seen able to sign.
    pub activated_at: Option<Timestamp>,
    /// When it was first seen unable to sign.
    pub retired_at: Option<Timestamp>,
}

impl KeyRecord {
    /// A key of entry `name` in `state` that nothing is known of yet.
    pub fn new(name: Option<EntryName>, state: KeyState) -> Self {
        Self {
            name,
            state,
            thumbprint: None,
            jwk: None,
            retain: DEFAULT_RETAIN,
            planned_at: None,
            announced_at: None,
            activated_at: None,
            retired_at: None,
        }
    }

    /// Whether this is the key that was recorded. One that was only planned is no key yet.
    pub(super) fn is(&self, public: &PublicJwk) -> bool {
        self.thumbprint.is_some() && self.thumbprint == public.thumbprint().ok()
    }

    /// When the public half may leave the set; `None` while the key signs.
    pub fn remove_after(&self) -> Option<Timestamp> {
        let retain = SignedDuration::try_from(self.retain).unwrap_or(SignedDuration::MAX);
        Some(self.retired_at?.saturating_add(retain).unwrap_or(Timestamp::MAX))
    }
}

impl Record {
    /// Whether nothing was ever stored: the resource is new, or its status was lost.
    pub fn is_empty(&self) -> bool {
        self.origin.is_none() && self.keys.is_empty() && self.slots.is_empty()
    }

    /// Reads the record out of a stored status. A slot that cannot be read is left out: the slots of the remaining kids stand.
    pub fn from_status(status: &JsonWebKeySetStatus) -> Self {
        Self {
            origin: status.origin,
            server: status.server.clone(),
            signer: status.signer.as_deref().map(Kid::from),
            keys: status.keys.iter().map(|key| (key.kid.as_str().into(), KeyRecord::from_status(key))).collect(),
            slots: status.slots.iter().filter_map(|(name, slot)| Some((name.as_str().into(), Slot::parse(slot)?))).collect(),
            targets: status.targets.iter().map(TargetId::from).collect(),
            handled_rotate_at: status.last_handled_rotate_at.clone(),
            is_opaque: status.conditions.iter().any(|condition| condition.reason == Reason::OpaqueKeys.as_str()),
            staged_keys: status.staged_key_count.and_then(|count| usize::try_from(count).ok()),
        }
    }

    /// Writes the record into a status; the targets are written with their hashes by the caller.
    pub fn write_into(&self, status: &mut JsonWebKeySetStatus) {
        status.origin = self.origin;
        status.server.clone_from(&self.server);
        status.signer = self.signer.as_ref().map(Kid::to_string);
        status.keys = self.keys.iter().map(|(kid, key)| key.to_status(kid)).collect();
        status.last_handled_rotate_at = self.handled_rotate_at.clone();
        status.staged_key_count = self.staged_keys.and_then(|count| i64::try_from(count).ok());
        status.slots = self.slots.iter().map(|(name, slot)| (name.to_string(), slot.to_string())).collect();
    }

    /// Remembers that `slot` was used for entry `name`.
    pub fn note_slot(&mut self, name: EntryName, slot: Slot) {
        let newest = self.slots.entry(name).or_insert(slot);
        *newest = slot.max(*newest);
    }
}

impl KeyRecord {
    fn from_status(status: &KeyStatus) -> Self {
        Self {
            name: status.name.as_deref().map(EntryName::from),
            state: status.state,
            thumbprint: status.thumbprint.clone(),
            jwk: status.jwk.clone(),
            retain: status.retain.map_or(DEFAULT_RETAIN, Duration::from),
            planned_at: status.planned_at.as_ref().map(|time| time.0),
            announced_at: status.announced_at.as_ref().map(|time| time.0),
            activated_at: status.activated_at.as_ref().map(|time| time.0),
            retired_at: status.retired_at.as_ref().map(|time| time.0),
        }
    }

    fn to_status(&self, kid: &Kid) -> KeyStatus {
        KeyStatus {
            kid: kid.to_string(),
            name: self.name.as_ref().map(EntryName::to_string),
            state: self.state,
            thumbprint: self.thumbprint.clone(),
            jwk: self.jwk.clone(),
            retain: Some(self.retain.into()),
            planned_at: self.planned_at.map(to_seconds),
            announced_at: self.announced_at.map(to_seconds),
            activated_at: self.activated_at.map(to_seconds),
            retired_at: self.retired_at.map(to_seconds),
            remove_after: self.remove_after().map(to_seconds),
        }
    }
}

/// Kubernetes writes times to the second; a finer one would differ from what is read back.
pub(super) fn to_seconds(moment: Timestamp) -> Time {
    Time(Timestamp::from_second(moment.as_second()).unwrap_or(moment))
}
