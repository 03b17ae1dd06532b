//! What need not be remembered any more.

use std::collections::{BTreeMap, BTreeSet};

use crate::lifecycle::{
    record::Record,
    remote::{look::Look, recover::Recovered},
};
use crate::{
    api::KeyState,
    jwk::{Kid, PublicJwk},
};

/// The record without the keys that are neither in the set, nor staged, nor published, nor about to be made or to come, nor revoked. `explained`
/// are the kids that an entry names.
pub(super) fn forget(
    look: Look<'_>,
    explained: &BTreeSet<Kid>,
    recovered: &Recovered,
    published: &BTreeMap<Kid, PublicJwk>,
    mut record: Record,
) -> Record {
    let Look { desired, seen, now } = look;
    // A kid that an entry wants stays known as that of the key that had it, be it somebody else's or long gone: it gets no second one.
    let wanted: BTreeSet<&str> =
        desired.entries.iter().filter_map(|entry| seen.source(&entry.name)).map(|held| held.kid.as_str()).collect();
    // A write that was not answered may bring a key that is in no set now.
    let may_come = seen.late_answers_until(now).is_some();
    record.keys.retain(|kid, key| {
        seen.live.key(kid.as_str()).is_some()
            || published.contains_key(kid)
            || explained.contains(kid)
            || desired.revoked.contains(kid)
            || (key.state == KeyState::Staged && seen.staged.is_none())
            || (key.thumbprint.is_some() && (may_come || wanted.contains(kid.as_str())))
            // It leaves the targets because its time came or it was revoked, also when that is not so any more by then.
            || (key.state != KeyState::Unmanaged && recovered.held.contains_key(kid))
    });
    record
}
