//! Which keys there are, and whose they are.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    due::Due,
    look::{Look, origin},
    recover::Recovered,
    room,
};
use crate::api::{KeyState, Reason};
use crate::jwk::{Jwk, Kid, PublicJwk};
use crate::lifecycle::{
    entry_name::EntryName,
    kid,
    record::{KeyRecord, Record},
};

/// The keys of the live set, and whose they are.
pub(in crate::lifecycle) struct Recognised {
    /// What is remembered, brought up to date with what is there.
    pub(in crate::lifecycle) record: Record,
    /// Own kids whose live material is not what was recorded: somebody else put it there.
    pub(in crate::lifecycle) replaced: BTreeSet<Kid>,
    pub(in crate::lifecycle) due: Due,
}

/// Brings the record up to date with what is there: a generated kid is always own, an explicit one if it was ours or is what an entry supplies,
/// and everything else is unmanaged.
pub(in crate::lifecycle) fn recognise(look: Look<'_>, recovered: &Recovered) -> Recognised {
    let record = Record { origin: Some(origin(look.desired, look.seen)), ..look.seen.local.record.clone() };
    let mut phase = Recogniser { look, recovered, record, replaced: BTreeSet::new(), due: Due::default() };
    phase.recognise();
    Recognised { record: phase.record, replaced: phase.replaced, due: phase.due }
}

struct Recogniser<'world> {
    look: Look<'world>,
    recovered: &'world Recovered,
    record: Record,
    replaced: BTreeSet<Kid>,
    due: Due,
}

impl Recogniser<'_> {
    fn recognise(&mut self) {
        self.follow_retain();
        self.forget_absent_others();
        let mut left = room::FOR_OTHERS;
        let mut left_out = 0;
        for key in &self.look.seen.live.keys {
            let Some(kid) = key.kid() else { continue };
            let generated = kid::parse_generated(&self.look.desired.set, kid);
            if let Some((name, slot)) = generated {
                // Whosever it is, its slot is used.
                self.record.note_slot(name.into(), slot);
            }
            if let Some((name, _)) = generated.filter(|(_, slot)| self.look.is_own_generated(&self.record, kid, *slot)) {
                self.recognise_generated(key, kid, &name.into());
            } else if self.is_own_explicit(key, kid) {
                self.recognise_explicit(key, kid);
            } else {
                let public = key.public_half();
                match left.checked_sub(room::size(kid, public.as_ref())) {
                    Some(rest) => {
                        left = rest;
                        self.recognise_unmanaged(key, kid, public);
                    }
                    None => {
                        left_out += 1;
                        self.record.keys.remove(kid);
                    }
                }
            }
        }
        if left_out > 0 {
            self.report_left_out(left_out);
        }
        let slots = self.look.seen.staged_keys().iter().filter_map(Jwk::kid).chain(self.look.desired.revoked.iter().map(Kid::as_str));
        for (name, slot) in slots.filter_map(|kid| kid::parse_generated(&self.look.desired.set, kid)) {
            self.record.note_slot(name.into(), slot);
        }
    }

    /// What is not in the set any more is not published for somebody else.
    fn forget_absent_others(&mut self) {
        let absent =
            |(kid, record): &(&Kid, &mut KeyRecord)| record.state == KeyState::Unmanaged && self.look.seen.live.key(kid.as_str()).is_none();
        self.record.keys.iter_mut().filter(absent).for_each(|(_, record)| record.jwk = None);
    }

    fn report_left_out(&mut self, count: usize) {
        let message = format!(
            "set {} holds more keys of others than the status has room for: {count} of them are not published until others have left the set",
            self.look.desired.set
        );
        self.due.notice(Reason::KnownLimitation, message);
    }

    /// While its entry is there, a key stays for as long as the entry says now; afterwards as it said last.
    fn follow_retain(&mut self) {
        for record in self.record.keys.values_mut() {
            let entry = self.look.desired.entries.iter().find(|entry| Some(&entry.name) == record.name.as_ref());
            record.retain = entry.map_or(record.retain, |entry| entry.timing.retain);
        }
    }

    fn recognise_generated(&mut self, key: &Jwk, kid: &str, name: &EntryName) {
        let timed = self.look.timed();
        let remembered = self.recovered.halves.get(kid);
        let retain = self.look.retain_of(name);
        let record = self.record.keys.entry(kid.into()).or_insert_with(|| {
            let mut record = KeyRecord::new(Some(name.clone()), KeyState::Planned);
            record.jwk = remembered.cloned();
            record.thumbprint = remembered.and_then(|key| key.thumbprint().ok());
            record
        });
        if record.state == KeyState::Unmanaged {
            // No other namespace may write the set any more, or it was only observed.
            *record = KeyRecord::new(Some(name.clone()), KeyState::Planned);
        }
        record.retain = retain.unwrap_or(record.retain);
        // Once it was seen, a key without a thumbprint is a symmetric one. It may have been revoked before it was seen, and not be any more.
        let is_unseen = match record.state {
            KeyState::Planned | KeyState::Staged => true,
            KeyState::Revoked => !self.look.desired.revoked.contains(kid),
            KeyState::Announced | KeyState::Active | KeyState::Retired | KeyState::Unmanaged => false,
        };
        if record.thumbprint.is_none() && is_unseen {
            record.thumbprint = key.public_thumbprint();
            record.jwk = key.public_half();
        }
        if record.note_material(key, timed) == Material::Replaced {
            self.replaced.insert(kid.into());
        }
    }

    /// Whether a key without a generated kid is own: it is what an entry supplies, or it was recorded after it had been seen.
    fn is_own_explicit(&self, key: &Jwk, kid: &str) -> bool {
        let recorded = self.record.keys.get(kid).is_some_and(|record| match record.state {
            KeyState::Unmanaged | KeyState::Revoked => false,
            KeyState::Planned => record.thumbprint.is_some() && record.thumbprint == key.public_thumbprint(),
            _ => true,
        });
        self.look.supplies(key) || recorded
    }

    fn recognise_explicit(&mut self, key: &Jwk, kid: &str) {
        let name = self.look.supplier(kid).map(|entry| entry.name.clone());
        let timed = self.look.timed();
        let retain = name.as_ref().and_then(|name| self.look.retain_of(name));
        let record = self.record.keys.entry(kid.into()).or_insert_with(|| KeyRecord::new(name.clone(), KeyState::Planned));
        if matches!(record.state, KeyState::Unmanaged | KeyState::Revoked) {
            *record = KeyRecord::new(name.clone(), KeyState::Planned);
        }
        if record.thumbprint.is_none() {
            record.thumbprint = key.public_thumbprint();
            record.jwk = key.public_half();
        }
        record.name = name.or(record.name.take());
        record.retain = retain.unwrap_or(record.retain);
        if record.note_material(key, timed) == Material::Replaced {
            self.replaced.insert(kid.into());
        }
    }

    fn recognise_unmanaged(&mut self, key: &Jwk, kid: &str, public: Option<PublicJwk>) {
        let record = self.record.keys.entry(kid.into()).or_insert_with(|| KeyRecord::new(None, KeyState::Unmanaged));
        if record.state != KeyState::Unmanaged {
            // Somebody else was faster, or put back what was revoked: the kid is theirs.
            *record = KeyRecord::new(None, KeyState::Unmanaged);
        }
        record.thumbprint = key.public_thumbprint();
        record.jwk = public;
        // What retires in place stays retired.
        if key.is_private() && key.public_half().is_some() && key.key_use() != Some("enc") {
            record.retired_at = None;
        }
    }
}

/// Whether a live key is the one that was recorded under its kid.
#[derive(PartialEq, Eq)]
enum Material {
    Genuine,
    /// Somebody else put another key there.
    Replaced,
}

impl KeyRecord {
    /// Compares a live key with its record. One that can sign is active, but for one that retires in place: it stays retired.
    fn note_material(&mut self, key: &Jwk, timed: Option<Timestamp>) -> Material {
        if self.thumbprint != key.public_thumbprint() {
            // Whoever reads the set does not find the announced key in it.
            self.announced_at = None;
            return Material::Replaced;
        }
        if matches!(self.state, KeyState::Planned | KeyState::Staged) {
            // Whoever reads the set knows it.
            self.state = KeyState::Announced;
        }
        if key.is_private() {
            let retires_in_place = key.key_use() == Some("enc") || self.jwk.is_none();
            if self.state != KeyState::Retired || !retires_in_place {
                self.state = KeyState::Active;
                self.retired_at = None;
            }
            self.activated_at = self.activated_at.or(timed);
        }
        Material::Genuine
    }
}
