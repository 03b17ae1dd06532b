//! The keys of an entry that generates them: the one that serves, the one that waits, the one that has to be made.

use jiff::{SignedDuration, Timestamp};

use super::{
    announce::Candidate,
    look::is_first_pass,
    room,
    supply::{Served, Serving, Supplier},
};
use crate::api::{Algorithm, KeyState, KeyUse, Reason};
use crate::jwk::{Jwk, Kid};
use crate::lifecycle::{
    entry_name::EntryName,
    kid::{self, Slot},
    rank::Rank,
    record::KeyRecord,
    spec::entry::Entry,
    step::{CreateCause, Place, PutCause, Step},
};

impl Supplier<'_> {
    /// Finds the key that serves, and takes its successor one step further or has one made when it is due.
    pub(super) fn supply_generated(&mut self, entry: &Entry, alg: Algorithm, key_use: KeyUse) -> Served {
        let serving = self.serving(&entry.name, alg, key_use);
        if let Some(serving) = &serving {
            self.serve(&entry.name, &serving.kid);
        }
        let has_successor = match self.staged_successor(entry, alg, key_use, serving.as_ref()) {
            Some((slot, key)) => {
                self.promote(entry, alg, slot, key, serving.as_ref());
                true
            }
            None => self.plan_key(entry, alg, key_use, serving.as_ref()),
        };
        serving.map(|serving| (serving, has_successor))
    }

    /// The newest private key of the entry in the live set, one that fits if there is one.
    fn serving(&self, name: &EntryName, alg: Algorithm, key_use: KeyUse) -> Option<Serving> {
        let own = self.look.seen.private_keys().filter_map(|key| {
            let kid = key.kid()?;
            let (owner, slot) = kid::parse_generated(&self.look.desired.set, kid)?;
            let is_usable = owner == name.as_str()
                && self.look.is_own_generated(&self.record, kid, slot)
                && !self.look.desired.revoked.contains(kid)
                && !self.replaced.contains(kid);
            is_usable.then(|| Serving { kid: kid.into(), slot, fits: fits(key, alg, key_use) })
        });
        own.max_by_key(|serving| (serving.fits, serving.slot))
    }

    /// The staged key that shall serve next: newer than the one that serves, and the very key that was recorded
    /// under its kid, or published before the status was lost.
    fn staged_successor(&self, entry: &Entry, alg: Algorithm, key_use: KeyUse, serving: Option<&Serving>) -> Option<(Slot, Jwk)> {
        let candidates = self.look.seen.staged_keys().iter().filter_map(|key| {
            let kid = key.kid()?;
            let (owner, slot) = kid::parse_generated(&self.look.desired.set, kid)?;
            let live = self.look.seen.live.key(kid);
            let recorded = self.record.keys.get(kid).and_then(|record| record.thumbprint.as_ref());
            let published = self.recovered.halves.get(kid).and_then(|public| public.thumbprint().ok());
            let thumbprint = key.public_thumbprint();
            let is_genuine = recorded.or(published.as_ref()).is_none_or(|known| thumbprint.as_ref() == Some(known));
            let is_successor = owner == entry.name.as_str()
                && self.look.is_own_generated(&self.record, kid, slot)
                && key.is_private()
                && fits(key, alg, key_use)
                && !self.look.desired.revoked.contains(kid)
                && serving.is_none_or(|serving| slot > serving.slot)
                && live.is_none_or(|live| !live.is_private());
            (is_successor && is_genuine).then(|| ((live.is_some(), slot), key))
        });
        candidates.max_by_key(|(order, _)| *order).map(|((_, slot), key)| (slot, key.clone()))
    }

    fn promote(&mut self, entry: &Entry, alg: Algorithm, slot: Slot, key: Jwk, serving: Option<&Serving>) {
        let Some(kid) = key.kid().map(Kid::from) else { return };
        self.kept_staged.insert(kid.clone());
        let asked = serving.and_then(|serving| self.asked(serving));
        let is_regular = serving.is_some_and(|serving| serving.fits);
        let candidate = Candidate {
            entry,
            kid: &kid,
            public: key.public_half(),
            thumbprint: key.public_thumbprint(),
            is_announced: !is_direct(entry, key.key_use()) && !alg.is_symmetric(),
            is_emergency: self.is_emergency_of(&entry.name),
            not_before: serving.filter(|_| is_regular).map(|serving| match (entry.timing.interval, asked) {
                (None, Some(asked)) => asked,
                (_, asked) => self.starts(entry, slot, serving).min(asked.unwrap_or(Timestamp::MAX)),
            }),
            is_held_back: is_regular && entry.timing.interval.is_none() && asked.is_none(),
            activation: Step::PutKey { key: Box::new(key), cause: PutCause::Activated },
        };
        self.bring_up(candidate);
    }

    /// Has a key made if the entry has none, or if the next one is due. Answers whether one is being made.
    fn plan_key(&mut self, entry: &Entry, alg: Algorithm, key_use: KeyUse, serving: Option<&Serving>) -> bool {
        let is_direct = is_direct(entry, Some(key_use.as_str()));
        let name = &entry.name;
        let slot = match serving.filter(|serving| serving.fits) {
            Some(serving) => {
                let Some(due) = self.due_for(entry, serving) else { return false };
                let ahead = if is_direct { SignedDuration::ZERO } else { entry.timing.prepublish };
                let start = due.saturating_sub(ahead).unwrap_or(due);
                self.due.note_rotation(Some(due));
                if self.look.timed().is_none_or(|now| now < start) {
                    self.due.wake_at(start);
                    return false;
                }
                let is_asked = self.asked(serving).is_some_and(|asked| asked <= self.look.now);
                match self.planned_slot(name) {
                    Some(slot) => slot,
                    None if is_asked || room::is_left(&self.record) => self.slot_from(name, due),
                    None => {
                        self.pause_rotation(entry);
                        return false;
                    }
                }
            }
            None => self.planned_slot(name).unwrap_or_else(|| self.slot_from(name, self.first_start())),
        };
        let is_emergency = self.is_emergency_of(name);
        let place = self.place(is_emergency || is_direct);
        let rank = if is_emergency && !is_direct { Rank::Emergency } else { Rank::Create };
        let is_revoked = |slot| self.look.desired.revoked.contains(&kid::generated(&self.look.desired.set, name, slot));
        let cause = match (serving, self.newest_slot(name)) {
            (Some(_), _) => CreateCause::Successor,
            (None, Some(newest)) if is_revoked(newest) => CreateCause::Revoked,
            (None, Some(_)) => CreateCause::Lost,
            (None, None) => CreateCause::New,
        };
        let kid = kid::generated(&self.look.desired.set, name, slot);
        let timed = self.look.timed();
        let record = self.record.keys.entry(kid.clone()).or_insert_with(|| KeyRecord::new(Some(name.clone()), KeyState::Planned));
        record.retain = entry.timing.retain;
        // Without a time while a request for it may be under way, or while the clock is wrong: then it is not surely unused.
        record.planned_at = record.planned_at.or(timed.filter(|now| self.look.seen.late_answers_until(*now).is_none()));
        self.explained.insert(kid.clone());
        let step = if alg.is_symmetric() {
            Step::CreateSymmetricKey { place, kid, alg, key_use, cause }
        } else {
            Step::CreateKey { place, kid, alg, key_use, cause }
        };
        self.due.add(rank, step);
        true
    }

    /// A key that serves goes on until others have left: a status that cannot be stored would help nobody.
    fn pause_rotation(&mut self, entry: &Entry) {
        // What was requested and not answered may yet come.
        let planned = self.planned_slots(&entry.name).map(|(slot, _)| kid::generated(&self.look.desired.set, &entry.name, slot));
        let planned: Vec<_> = planned.collect();
        self.explained.extend(planned);
        let message = format!(
            "key {}: the next key is not made, since set {} keeps as many public halves as its status has room for: shorten rotation.retain, or lengthen rotation.interval",
            entry.name, self.look.desired.set
        );
        self.due.stalled(Reason::InvalidRotation, message);
    }

    /// When the first key of an entry starts: in the very first pass the resource's creation, so that its kid can be derived again; else now,
    /// even by a clock that is not trusted: a wrong time in a kid does no harm, a kid used twice does.
    fn first_start(&self) -> Timestamp {
        if is_first_pass(self.look.seen) { self.look.desired.created } else { self.look.now.max(self.look.desired.created) }
    }

    /// Where a key is made. A server that keeps private keys to itself replaces the set with each new key: what is in a set that shows no
    /// private key is not put at risk.
    fn place(&self, is_direct: bool) -> Place {
        let shows_private_keys = self.look.seen.live.keys.is_empty() || self.look.seen.live.keys.iter().any(Jwk::is_private);
        if is_direct && shows_private_keys { Place::Live } else { Place::Staged }
    }
}

/// Whether a key of the entry signs as soon as it is made: nobody asks for an announcement, or it is for encryption, where the private half
/// must be there before anybody encrypts for it.
fn is_direct(entry: &Entry, key_use: Option<&str>) -> bool {
    entry.timing.prepublish.is_zero() || key_use == Some("enc")
}

fn fits(key: &Jwk, alg: Algorithm, key_use: KeyUse) -> bool {
    key.alg() == Some(alg.as_str()) && key.key_use().unwrap_or("sig") == key_use.as_str()
}
