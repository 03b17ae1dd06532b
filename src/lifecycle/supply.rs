//! Which keys there are, which entry each serves, and what has to be made.

use super::{
    desired::{Entry, Source},
    kid::{self, Slot},
    plan::{Assessor, Rank, is_first_pass},
    record::KeyRecord,
    step::{CreateCause, PutCause, Step},
};
use crate::api::{Algorithm, KeyState, KeyUse, Reason, UnmanagedKeys};
use crate::jwk::{Jwk, PublicJwk, Thumbprint};

/// How many unmanaged keys the status lists when they are only kept.
const LISTED_UNMANAGED: usize = 64;

impl Assessor<'_> {
    /// Brings the record up to date with the live set: a generated kid is always own, an explicit one if it was ours or is what an entry
    /// supplies, and everything else is unmanaged.
    pub(super) fn recognise(&mut self) {
        let mut unmanaged = 0;
        for key in &self.seen.live.keys {
            let Some(kid) = key.kid() else { continue };
            if let Some((name, slot)) = kid::parse_generated(&self.desired.set, kid) {
                self.recognise_generated(key, kid, name, slot);
            } else if self.is_own_explicit(key, kid) {
                self.recognise_explicit(key, kid);
            } else {
                unmanaged += 1;
                if self.desired.unmanaged_keys == UnmanagedKeys::Delete || unmanaged <= LISTED_UNMANAGED {
                    self.recognise_unmanaged(key, kid);
                } else {
                    self.record.keys.remove(kid);
                }
            }
        }
    }

    fn recognise_generated(&mut self, key: &Jwk, kid: &str, name: &str, slot: Slot) {
        self.record.note_slot(name, slot);
        let timed = self.timed();
        let remembered = self.remembered.get(kid);
        let record = self.record.keys.entry(kid.to_owned()).or_insert_with(|| {
            let mut record = KeyRecord::new(Some(name), KeyState::Planned);
            record.jwk = remembered.cloned();
            record.thumbprint = remembered.and_then(|key| key.thumbprint().ok());
            record
        });
        // Once it was seen, a key without a thumbprint is a symmetric one.
        if record.thumbprint.is_none() && record.state == KeyState::Planned {
            record.thumbprint = key.public_thumbprint();
            record.jwk = key.public_half();
        }
        if record.thumbprint != key.public_thumbprint() {
            self.replaced.insert(kid.to_owned());
        } else if key.is_private() {
            // One that retires in place stays retired; any other private key signs again, or may.
            let retires_in_place = key.key_use() == Some("enc") || record.jwk.is_none();
            if record.state != KeyState::Retired || !retires_in_place {
                record.state = KeyState::Active;
                record.retired_at = None;
            }
            record.activated_at = record.activated_at.or(timed);
        }
        if !key.is_private() || self.replaced.contains(kid) {
            record.state = KeyState::Retired;
            record.retired_at = record.retired_at.or(timed);
        }
    }

    /// Whether a key without a generated kid is own: it is what an entry supplies, or it was recorded after it had been seen.
    fn is_own_explicit(&self, key: &Jwk, kid: &str) -> bool {
        let recorded = self.record.keys.get(kid).is_some_and(|record| match record.state {
            KeyState::Unmanaged => false,
            KeyState::Planned => record.thumbprint == key.public_thumbprint(),
            _ => true,
        });
        self.desired.supplies(key) || recorded
    }

    fn recognise_explicit(&mut self, key: &Jwk, kid: &str) {
        let name = self.desired.entries.iter().find(|entry| entry.supplies(kid)).map(|entry| entry.name.clone());
        let timed = self.timed();
        let record = self.record.keys.entry(kid.to_owned()).or_insert_with(|| KeyRecord::new(name.as_deref(), KeyState::Announced));
        if record.thumbprint.is_none() {
            record.thumbprint = key.public_thumbprint();
            record.jwk = key.public_half();
        }
        if record.thumbprint != key.public_thumbprint() {
            self.replaced.insert(kid.to_owned());
        }
        if name.is_some() {
            record.name = name;
            record.state = KeyState::Announced;
            record.retired_at = None;
        } else {
            record.state = KeyState::Retired;
            record.retired_at = record.retired_at.or(timed);
        }
    }

    fn recognise_unmanaged(&mut self, key: &Jwk, kid: &str) {
        let record = self.record.keys.entry(kid.to_owned()).or_insert_with(|| KeyRecord::new(None, KeyState::Unmanaged));
        if record.state == KeyState::Planned {
            // Somebody else was faster: the kid is theirs.
            *record = KeyRecord::new(None, KeyState::Unmanaged);
        }
        if record.state == KeyState::Unmanaged {
            record.thumbprint = key.public_thumbprint();
            if key.is_private() && key.public_half().is_some() {
                record.retired_at = None;
            }
        }
    }

    /// Finds the key that serves each entry, or has it made. The signer's key is made last: what is made last stands in front.
    pub(super) fn supply(&mut self) {
        let desired = self.desired;
        let is_signer = |entry: &&Entry| desired.signer.as_ref() == Some(&entry.name);
        let (signer, others): (Vec<_>, Vec<_>) = desired.entries.iter().partition(is_signer);
        for entry in others.into_iter().chain(signer) {
            match &entry.source {
                Source::Generate { alg, key_use } => self.supply_generated(&entry.name, *alg, *key_use),
                Source::Public { key, kid, thumbprint } => self.supply_public(&entry.name, key, kid, thumbprint),
            }
        }
    }

    fn supply_generated(&mut self, name: &str, alg: Algorithm, key_use: KeyUse) {
        let newest_fit = self
            .seen
            .private_keys()
            .filter(|key| key.alg() == Some(alg.as_str()))
            .filter_map(Jwk::kid)
            .filter(|kid| !self.replaced.contains(*kid))
            .filter_map(|kid| kid::parse_generated(&self.desired.set, kid).filter(|(owner, _)| *owner == name).map(|(_, slot)| (slot, kid)))
            .max();
        if let Some((_, kid)) = newest_fit {
            self.active.insert(name.to_owned(), kid.to_owned());
            self.explained.insert(kid.to_owned());
            if let Some(record) = self.record.keys.get_mut(kid) {
                record.state = KeyState::Active;
                record.retired_at = None;
            }
            return;
        }
        let newest = self.newest_slot(name);
        let slot = self.planned_slot(name, newest).unwrap_or_else(|| self.new_slot(name, newest));
        let kid = kid::generated(&self.desired.set, name, slot);
        let record = self.record.keys.entry(kid.clone()).or_insert_with(|| KeyRecord::new(Some(name), KeyState::Planned));
        // Without a time while a request for it may be under way: then it is not surely unused.
        record.planned_at = record.planned_at.or(Some(self.now).filter(|now| self.seen.writes_blocked_until(*now).is_none()));
        self.explained.insert(kid.clone());
        let cause = if newest.is_some() { CreateCause::Lost } else { CreateCause::New };
        let step = if alg.is_symmetric() {
            Step::CreateSymmetricKey { kid, alg, key_use, cause }
        } else {
            Step::CreateKey { kid, alg, key_use, cause }
        };
        self.add(Rank::Create, step);
    }

    /// The newest slot that entry `name` ever used, as far as the record, the set and the targets know.
    fn newest_slot(&self, name: &str) -> Option<Slot> {
        let published = self.remembered.keys().filter_map(|kid| kid::parse_generated(&self.desired.set, kid));
        let published = published.filter(|(owner, _)| *owner == name).map(|(_, slot)| slot).max();
        self.record.slots.get(name).copied().into_iter().chain(published).max()
    }

    /// The slots that were written down for entry `name` and whose keys are not there, and whether they are surely unused: written down in
    /// this pass, or every request since was answered.
    fn planned_slots(&self, name: &str) -> impl Iterator<Item = (Slot, bool)> {
        let planned = self.record.keys.iter().filter(|(_, record)| record.state == KeyState::Planned);
        planned.filter_map(move |(kid, record)| {
            let (owner, slot) = kid::parse_generated(&self.desired.set, kid)?;
            let is_unused = self.seen.reserved.contains(kid) || record.planned_at.is_some_and(|at| at > self.seen.answered_since);
            (owner == name).then_some((slot, is_unused))
        })
    }

    /// A slot that was written down and may be asked for.
    fn planned_slot(&self, name: &str, newest: Option<Slot>) -> Option<Slot> {
        // While nothing may be written, the plan stays as it is: the key may yet appear.
        let is_blocked = self.seen.writes_blocked_until(self.now).is_some();
        let unused = self.planned_slots(name).filter(|(_, is_unused)| *is_unused || is_blocked);
        unused.map(|(slot, _)| slot).max().filter(|slot| newest.is_none_or(|newest| *slot > newest))
    }

    /// In the very first pass the resource's creation, so that it can be derived again; else now; always after the newest known, and after
    /// those written down, whose keys may have been made and lost.
    fn new_slot(&self, name: &str, newest: Option<Slot>) -> Slot {
        // Now even by a clock that is not trusted: a wrong time in a kid does no harm, a kid used twice does.
        let start = if is_first_pass(self.seen) { self.desired.created } else { self.now.max(self.desired.created) };
        let newest = self.planned_slots(name).map(|(slot, _)| slot).max().max(newest);
        newest.map_or(Slot::at(start), |newest| Slot::at(start).max(newest.next()))
    }

    fn supply_public(&mut self, name: &str, key: &PublicJwk, kid: &str, wanted: &Thumbprint) {
        self.explained.insert(kid.to_owned());
        let recorded = self.record.keys.get(kid).filter(|record| record.state != KeyState::Unmanaged);
        let was_seen = recorded.is_some_and(|record| record.state != KeyState::Planned);
        if was_seen && recorded.and_then(|record| record.thumbprint.as_ref()) != Some(wanted) {
            self.stalled(
                Reason::KidTaken,
                format!("key {name}: kid {kid} is the kid of another key of set {}; a verifier that knows that one would never fetch this one: give it a new kid", self.desired.set),
            );
            return;
        }
        match self.seen.live.key(kid) {
            Some(live) if live.public_thumbprint().as_ref() == Some(wanted) => {
                if !live.is_private() && !has_same_members(live, key) {
                    self.put_public(name, key, kid, wanted, PutCause::Supplied);
                }
            }
            Some(_) if !was_seen => self.stalled(
                Reason::KidTaken,
                format!("key {name}: set {} holds another key under kid {kid}, which is not the operator's: give this key another kid", self.desired.set),
            ),
            // Somebody stored a private key under this kid, and it is the only one: taking it away would leave nobody to sign.
            Some(live) if live.is_private() && self.seen.private_keys().count() == 1 => self.stalled(
                Reason::KidTaken,
                format!("key {name}: somebody stored a private key under kid {kid}, and set {} has no other: it stays until another key can sign", self.desired.set),
            ),
            _ => self.put_public(name, key, kid, wanted, if was_seen { PutCause::Drift } else { PutCause::Supplied }),
        }
    }

    fn put_public(&mut self, name: &str, key: &PublicJwk, kid: &str, wanted: &Thumbprint, cause: PutCause) {
        let timed = self.timed();
        let record = self.record.keys.entry(kid.to_owned()).or_insert_with(|| KeyRecord::new(Some(name), KeyState::Planned));
        if record.state == KeyState::Unmanaged {
            *record = KeyRecord::new(Some(name), KeyState::Planned);
        }
        record.thumbprint = Some(wanted.clone());
        record.jwk = Some(key.clone());
        if record.state == KeyState::Planned {
            record.planned_at = record.planned_at.or(timed);
        }
        self.add(Rank::Store, Step::PutKey { key: Box::new(key.as_jwk().clone()), cause });
    }
}

impl Entry {
    /// Whether the spec gives this entry's key this kid.
    fn supplies(&self, kid: &str) -> bool {
        matches!(&self.source, Source::Public { kid: supplied, .. } if supplied == kid)
    }
}

/// Whether a live key is what the spec supplies in the members that Hydra keeps; it drops others, such as `key_ops`.
fn has_same_members(live: &Jwk, wanted: &PublicJwk) -> bool {
    ["alg", "use", "x5c"].iter().all(|name| live.members().get(*name) == wanted.as_jwk().members().get(*name))
}
