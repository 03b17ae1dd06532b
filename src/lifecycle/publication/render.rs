//! What the record shows to verifiers.

use std::collections::{BTreeMap, BTreeSet};

use super::Wanted;
use crate::{
    api::KeyState,
    jwk::{Kid, PublicJwk},
    lifecycle::record::{KeyRecord, Record},
};

/// The public halves that the record shows: of every key that signs, is about to or did, and of those of others that it holds. What the spec
/// revokes is left out, and what leaves since it retired long enough ago.
pub(in crate::lifecycle) fn published(record: &Record, revoked: &BTreeSet<Kid>, leaving: &BTreeSet<Kid>) -> BTreeMap<Kid, PublicJwk> {
    let shown = record.keys.iter().filter(|(kid, key)| is_shown(key) && !revoked.contains(*kid) && !leaving.contains(*kid));
    shown.filter_map(|(kid, key)| Some((kid.clone(), key.jwk.clone()?))).collect()
}

/// Whether verifiers are told of a key in this state. Nobody shall encrypt for a key that retired.
fn is_shown(key: &KeyRecord) -> bool {
    let is_for_encryption = key.jwk.as_ref().is_some_and(|jwk| jwk.as_jwk().key_use() == Some("enc"));
    match key.state {
        KeyState::Announced | KeyState::Active | KeyState::Unmanaged => true,
        KeyState::Retired => !is_for_encryption,
        KeyState::Planned | KeyState::Staged | KeyState::Revoked => false,
    }
}

/// Those of the keys `held` by a target that stay in it although the record does not show them, while the remote set cannot be asked: a process
/// may have died between writing the target and remembering that the key is published. Its thumbprint was written down before. Of a lost record
/// everything stays.
pub(super) fn kept(wanted: &Wanted, record: &Record, mut held: BTreeMap<Kid, PublicJwk>) -> BTreeMap<Kid, PublicJwk> {
    let may_be_unseen = |key: &KeyRecord| match key.state {
        KeyState::Planned | KeyState::Staged => true,
        KeyState::Announced | KeyState::Active | KeyState::Unmanaged => key.jwk.is_none(),
        KeyState::Retired | KeyState::Revoked => false,
    };
    held.retain(|kid, shown| {
        let is_known = record.keys.get(kid).map_or(record.is_empty(), |key| may_be_unseen(key) && key.is(shown));
        is_known && !wanted.revoked.contains(kid)
    });
    held
}
