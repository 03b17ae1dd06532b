//! What is read back of targets: what they published before the status was lost, or before a process died that had not stored it.

use std::collections::{BTreeMap, BTreeSet};

use super::look::Look;
use crate::jwk::PublicJwk;

/// What the own targets hold.
pub(in crate::lifecycle) struct Recovered {
    /// The public halves that may be believed: whoever may change a target must not put a key into the set by it, so that nothing but what the
    /// status planned or recorded is read back, unless the status was lost.
    pub(in crate::lifecycle) halves: BTreeMap<String, PublicJwk>,
    /// All kids, also those that could not be written in this pass.
    pub(in crate::lifecycle) held_kids: BTreeSet<String>,
}

/// Reads the targets.
pub(in crate::lifecycle) fn recover(look: Look<'_>) -> Recovered {
    let local = &look.seen.local;
    let held = local.targets.keys().filter_map(|id| local.held(id));
    let mut halves: BTreeMap<String, PublicJwk> = held.flat_map(|held| held.content.published()).collect();
    let held_kids = halves.keys().cloned().collect();
    let is_believed = |kid: &String| local.record.is_empty() || local.record.keys.contains_key(kid);
    halves.retain(|kid, _| !look.desired.revoked.contains(kid) && is_believed(kid));
    Recovered { halves, held_kids }
}
