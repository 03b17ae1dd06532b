//! What is left of a look where nothing may be written to the set: by an observer, or since the server keeps private keys to itself.

use std::collections::BTreeSet;

use crate::api::{KeyState, Reason};
use crate::jwk::Kid;
use crate::lifecycle::{
    record::{KeyRecord, Record},
    remote::{due::Due, look::Look},
};

/// Where private keys stay inside the server, as with an HSM, each new key replaces the set, and none can be moved: nothing is written. `record` is
/// what would be remembered otherwise, and `due` what would be done.
pub(super) fn opaque(look: Look<'_>, mut record: Record, due: Due) -> (Record, Due) {
    record.keys.retain(|kid, _| look.seen.local.record.keys.contains_key(kid) || look.seen.live.key(kid.as_str()).is_some());
    let mut due = due.only_told();
    due.stalled(
        Reason::OpaqueKeys,
        format!(
            "the server of set {} returns new keys without their private halves, as with an HSM: a new key would replace the whole set there, so nothing is written; use mode Observe, or an admin API that stores its keys",
            look.desired.set
        ),
    );
    (record, due)
}

/// An observer reports that the set differs, and publishes what is there, together with what was the operator's own before it was made an observer.
/// `recognised` is the record of what is there, `looked` what would be remembered otherwise, and `due` what would be done.
pub(super) fn observe(look: Look<'_>, recognised: &Record, looked: &Record, expired: &BTreeSet<Kid>, due: Due) -> (Record, Due) {
    // Somebody else may write the set meanwhile, and stage a key.
    let mut record = Record { staged_keys: None, ..look.seen.local.record.clone() };
    // What vanished leaves: at once if the set was never this resource's to write, else as it would if it still were.
    let was_own = record.origin.is_some();
    record.keys.retain(|kid, key| was_own && key.state != KeyState::Unmanaged && !expired.contains(kid));
    for (kid, key) in looked.keys.iter().filter(|(_, key)| key.state == KeyState::Retired) {
        if let Some(known) = record.keys.get_mut(kid) {
            known.clone_from(key);
        }
    }
    for (kid, key) in &recognised.keys {
        let Some(live) = look.seen.live.key(kid.as_str()) else { continue };
        let state = if key.state == KeyState::Revoked { KeyState::Announced } else { key.state };
        // What is there is published, with a certificate that was renewed.
        let is_same = live.public_thumbprint() == key.thumbprint;
        let jwk = live.public_half().filter(|_| is_same && key.jwk.is_some()).or_else(|| key.jwk.clone());
        record.keys.insert(kid.clone(), KeyRecord { state, jwk, ..key.clone() });
    }
    let changes = due.steps.len();
    let mut due = due.only_told();
    if changes > 0 {
        let message =
            format!("set {} differs from the spec ({changes} changes are due), and mode Observe changes nothing", look.desired.set);
        due.stalled(Reason::DriftObserved, message);
    }
    (record, due)
}
