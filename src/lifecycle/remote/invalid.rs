//! Entries that cannot be carried out as they are written: what the set holds for them stays.

use super::{due::Due, supply::Supplier};
use crate::api::KeyState;
use crate::jwk::Kid;
use crate::lifecycle::{Desired, entry_name::EntryName, kid, record::KeyRecord, spec::entry::InvalidEntry};

impl Supplier<'_> {
    /// Keeps every key of the entry that is in use, so that correcting the entry costs verifiers nothing.
    pub(super) fn keep_invalid(&mut self, name: &EntryName, invalid: &InvalidEntry) {
        if let Some(serving) = self.serving_of(name).or_else(|| self.serving_import(name, None)) {
            self.serve(name, &serving);
        }
        let is_in_use = |record: &KeyRecord| {
            record.name.as_ref() == Some(name) && matches!(record.state, KeyState::Announced | KeyState::Active | KeyState::Planned)
        };
        let used = self.record.keys.iter().filter(|(_, record)| is_in_use(record)).map(|(kid, _)| kid);
        // Whatever is stored under its kid belongs to an entry, unless it is that of a generated key.
        let named = invalid.kid.iter().filter(|kid| kid::parse_generated(&self.look.desired.set, kid.as_str()).is_none());
        let kept = used.chain(named).filter(|kid| {
            let is_live = self.look.seen.live.key(kid.as_str()).is_some();
            is_live && !self.look.desired.revoked.contains(*kid) && !self.replaced.contains(*kid)
        });
        let kept: Vec<_> = kept.cloned().collect();
        self.explained.extend(kept);
        self.recheck_announcements(name);
    }

    /// The key that signs for the entry, wherever it came from before.
    fn serving_of(&self, name: &EntryName) -> Option<Kid> {
        let own = self.look.seen.private_keys().filter_map(|key| {
            let kid = key.kid()?;
            let is_usable = !self.look.desired.revoked.contains(kid) && !self.replaced.contains(kid);
            let record = self.record.keys.get(kid).filter(|record| record.name.as_ref() == Some(name) && is_usable)?;
            (record.state == KeyState::Active).then_some((record.activated_at, kid))
        });
        own.max().map(|(_, kid)| kid.into())
    }
}

/// Says what is wrong with entries. It is known without the admin API.
pub(in crate::lifecycle) fn report_invalid(desired: &Desired) -> Due {
    let mut due = Due::default();
    for why in desired.invalid_entries() {
        due.stalled(
            why.reason,
            format!("{}; the key that set {} holds for it stays, and the other keys continue", why.message, desired.set),
        );
    }
    due
}
