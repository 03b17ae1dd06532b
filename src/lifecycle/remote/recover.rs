//! What is read back of targets: what they published before the status was lost, or before there was one.

use std::collections::BTreeMap;

use super::look::Look;
use crate::jwk::{Kid, PublicJwk};

/// What the own targets hold.
pub(in crate::lifecycle) struct Recovered {
    /// The public halves that may be believed: whoever may change a target must not put a key into the set by it, so that nothing is read back
    /// but exactly the keys that the status holds, unless the status was lost.
    pub(in crate::lifecycle) halves: BTreeMap<Kid, PublicJwk>,
    /// All that verifiers may have read, by kid, whoever put it there, also in targets that could not be written in this pass.
    pub(in crate::lifecycle) held: BTreeMap<Kid, PublicJwk>,
}

/// Reads the targets.
pub(in crate::lifecycle) fn recover(look: Look<'_>) -> Recovered {
    let local = &look.seen.local;
    let targets = local.targets.keys().filter_map(|id| local.held(id));
    let held: BTreeMap<Kid, PublicJwk> = targets.flat_map(|held| held.content.published_by(&local.record)).collect();
    let mut halves = held.clone();
    let is_recorded = |kid: &Kid, half: &PublicJwk| local.record.keys.get(kid).is_some_and(|key| key.is(half));
    let is_believed = |kid: &Kid, half: &PublicJwk| local.record.is_empty() || is_recorded(kid, half);
    halves.retain(|kid, half| !look.desired.revoked.contains(kid) && is_believed(kid, half));
    Recovered { halves, held }
}
