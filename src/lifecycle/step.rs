//! A step: one effect on the world.

use jiff::Timestamp;

use super::{entry_name::EntryName, publication::TargetStep, record::Record, spec::source::SourceKey};
use crate::api::{Algorithm, KeyUse};
use crate::jwk::{Jwk, Kid};

/// One effect: a call to the admin API, a write of one target, or a piece of status that must be stored ahead.
#[derive(Clone, Debug)]
pub enum Step {
    /// Hold the resource with the finalizer, before anything is made that must be cleaned up.
    AddFinalizer,
    /// Let the resource go.
    RemoveFinalizer {
        /// Whether the remote set stays on purpose.
        retained: bool,
    },
    /// Store what must not be forgotten before the next remote write.
    StoreRecord(Box<Record>),
    /// Read the live set again: nothing orders two writers, so a write follows a reading at once.
    ReadLive,
    /// Read the keys that wait outside of the live set.
    ReadStaged,
    /// Wait: on MySQL two private keys written within one second leave the signer undefined.
    Wait {
        /// Until then.
        until: Timestamp,
    },
    /// Have a key generated under this kid (POST). Harmless to repeat: a kid that exists is a 409.
    CreateKey {
        /// In which set.
        place: Place,
        /// The kid.
        kid: Kid,
        /// The algorithm.
        alg: Algorithm,
        /// The use.
        key_use: KeyUse,
        /// Why.
        cause: CreateCause,
    },
    /// Make a symmetric key under this kid and store it (PUT), then read it back. Hydra cannot generate one.
    CreateSymmetricKey {
        /// In which set.
        place: Place,
        /// The kid.
        kid: Kid,
        /// The algorithm.
        alg: Algorithm,
        /// The use.
        key_use: KeyUse,
        /// Why.
        cause: CreateCause,
    },
    /// Read the key of an entry from its Secret and store it (PUT), if it is still this one: it moves to the front.
    ImportKey {
        /// The entry.
        name: EntryName,
        /// The key that the Secret held when it was last read.
        key: Box<SourceKey>,
        /// Why.
        cause: PutCause,
    },
    /// Store this key in the live set (PUT): it moves to the front.
    PutKey {
        /// The key.
        key: Box<Jwk>,
        /// Why.
        cause: PutCause,
    },
    /// Delete one key.
    DeleteKey {
        /// From which set.
        place: Place,
        /// The kid.
        kid: Kid,
        /// Why.
        cause: DeleteCause,
    },
    /// Tell that keys of somebody else will be retired and removed, before they are.
    TellUnmanagedLeave {
        /// Their kids.
        kids: Vec<Kid>,
    },
    /// Delete the whole set: a reading just showed nothing but own keys.
    DeleteSet,
    /// Write or remove one target.
    Target(TargetStep),
}

/// Where a key is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the set of the spec, where the first private key signs.
    Live,
    /// In the set [`SetId::staged`](super::SetId::staged), where nobody looks.
    Staged,
}

/// Why a key is generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateCause {
    /// The entry has no key yet.
    New,
    /// The entry's key was lost or replaced behind the operator's back.
    Lost,
    /// The spec revokes the entry's key.
    Revoked,
    /// It shall sign after the one that signs now.
    Successor,
}

/// Why a key is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutCause {
    /// The spec supplies it.
    Supplied,
    /// Verifiers shall know it before it signs.
    Announced,
    /// Its time has come, and it was announced for long enough.
    Activated,
    /// It shall sign and another private key stands in front of it.
    Signer,
    /// It stopped signing: its public half takes its place.
    Retired,
    /// It vanished or was replaced behind the operator's back.
    Drift,
}

/// Why a key is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteCause {
    /// It stopped signing long enough ago.
    Expired,
    /// The spec revokes it.
    Revoked,
    /// It waits for nothing any more.
    Leftover,
    /// The resource is being deleted.
    ResourceDeleted,
}

/// A write that the admin API refused in this pass. That a key cannot be stored does not keep it from being removed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefusedWrite {
    /// The kid.
    pub kid: Kid,
    /// Whether the key was to be removed, and not stored.
    pub is_removal: bool,
}

impl RefusedWrite {
    /// The write that a step is, if it writes one key.
    pub fn of(step: &Step) -> Option<Self> {
        let is_removal = matches!(step, Step::DeleteKey { .. });
        step.kid().map(|kid| Self { kid: kid.into(), is_removal })
    }
}

impl Step {
    /// Whether this step writes to the remote set.
    pub fn writes_remote(&self) -> bool {
        matches!(
            self,
            Self::CreateKey { .. }
                | Self::CreateSymmetricKey { .. }
                | Self::ImportKey { .. }
                | Self::PutKey { .. }
                | Self::DeleteKey { .. }
                | Self::DeleteSet
        )
    }

    /// Which set this step reads or writes, if it does.
    pub fn place(&self) -> Place {
        match self {
            Self::CreateKey { place, .. } | Self::CreateSymmetricKey { place, .. } | Self::DeleteKey { place, .. } => *place,
            Self::ReadStaged => Place::Staged,
            _ => Place::Live,
        }
    }

    /// Whether this step makes a key in the staged set.
    pub(super) fn stages_key(&self) -> bool {
        matches!(self, Self::CreateKey { place: Place::Staged, .. } | Self::CreateSymmetricKey { place: Place::Staged, .. })
    }

    /// Whether this step belongs to the life of a key as it was planned, and repairs nothing.
    pub(super) fn is_routine(&self) -> bool {
        match self {
            Self::CreateKey { cause, .. } | Self::CreateSymmetricKey { cause, .. } => *cause == CreateCause::Successor,
            Self::ImportKey { cause, .. } | Self::PutKey { cause, .. } => {
                matches!(cause, PutCause::Announced | PutCause::Activated | PutCause::Retired)
            }
            Self::DeleteKey { cause, .. } => matches!(cause, DeleteCause::Expired | DeleteCause::Leftover),
            Self::Target(TargetStep::Write { replaces, .. }) => replaces.is_some(),
            Self::StoreRecord(_) | Self::ReadLive | Self::ReadStaged | Self::Wait { .. } => true,
            Self::AddFinalizer
            | Self::RemoveFinalizer { .. }
            | Self::TellUnmanagedLeave { .. }
            | Self::DeleteSet
            | Self::Target(TargetStep::Withdraw { .. } | TargetStep::Remove { .. }) => false,
        }
    }

    /// The kid of the one key that this step writes to the remote set.
    pub fn kid(&self) -> Option<&str> {
        match self {
            Self::CreateKey { kid, .. } | Self::CreateSymmetricKey { kid, .. } | Self::DeleteKey { kid, .. } => Some(kid.as_str()),
            Self::ImportKey { key, .. } => Some(key.kid.as_str()),
            Self::PutKey { key, .. } => key.kid(),
            _ => None,
        }
    }

    /// Whether this step puts a private key in front of the live set.
    pub fn writes_private_key(&self) -> bool {
        match self {
            Self::CreateKey { place, .. } | Self::CreateSymmetricKey { place, .. } => *place == Place::Live,
            Self::ImportKey { key, .. } => key.is_private,
            Self::PutKey { key, .. } => key.is_private(),
            _ => false,
        }
    }
}
