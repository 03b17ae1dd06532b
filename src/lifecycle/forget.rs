//! What need not be remembered any more.

use std::collections::{BTreeMap, BTreeSet};

use super::assessor::Assessor;
use crate::{api::KeyState, jwk::PublicJwk};

impl Assessor<'_> {
    /// Drops the records of keys that are neither in the set, nor staged, nor published, nor about to be made or to come, nor revoked.
    pub(super) fn forget(&mut self, published: &BTreeMap<String, PublicJwk>) {
        // A kid that an entry wants stays known as that of the key that had it, be it somebody else's or long gone: it gets no second one.
        let imports = self.desired.entries.iter().filter_map(|entry| self.seen.source(&entry.name)).map(|held| held.kid.clone());
        let wanted: BTreeSet<String> = imports.collect();
        // A write that was not answered may bring a key that is in no set now.
        let may_come = self.seen.late_answers_until(self.now).is_some();
        let Self { record, seen, explained, desired, held_kids, .. } = self;
        record.keys.retain(|kid, key| {
            seen.live.key(kid).is_some()
                || published.contains_key(kid)
                || explained.contains(kid)
                || desired.revoked.contains(kid)
                || (key.state == KeyState::Staged && seen.staged.is_none())
                || (key.thumbprint.is_some() && (may_come || wanted.contains(kid)))
                // It leaves the targets because its time came or it was revoked, also when that is not so any more by then.
                || (key.state != KeyState::Unmanaged && held_kids.contains(kid))
        });
    }
}
