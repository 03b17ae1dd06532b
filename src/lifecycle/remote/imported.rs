//! The keys of an entry that imports them from a Secret. The Secret takes the place of the staged set.

use super::{
    announce::Candidate,
    supply::{Supplier, has_same_members},
};
use crate::api::{Import, KeyState, Reason};
use crate::jwk::Kid;
use crate::lifecycle::{
    entry_name::EntryName,
    kid,
    rank::Rank,
    record::KeyRecord,
    spec::{
        entry::{Entry, Source},
        source::{SourceKey, SourceState, can_be_announced},
    },
    step::{PutCause, Step},
};

impl Supplier<'_> {
    /// Finds the key that serves, and takes the one that the Secret holds one step further if it is another.
    pub(super) fn supply_imported(&mut self, entry: &Entry, import: &Import) {
        if let Some(kid) = import.kid.as_ref().filter(|kid| self.look.seen.live.key(kid).is_some()) {
            // Whatever is stored under it belongs to an entry.
            self.explained.insert(kid.as_str().into());
        }
        let held = match self.look.seen.sources.get(&entry.name) {
            Some(SourceState::Held(held)) => Some(held),
            Some(state) => {
                self.tell_source(entry, import, state);
                None
            }
            None => None,
        };
        if let Some(serving) = self.serving_import(&entry.name, held) {
            self.serve(&entry.name, &serving);
        }
        if held.is_none() {
            self.keep_waiting(&entry.name);
        }
        let Some(held) = held else { return };
        if self.look.desired.revoked.contains(&held.kid) {
            let message =
                format!("key {}: kid {} is revoked, but its Secret still holds it: put a new key into the Secret", entry.name, held.kid);
            self.due.stalled(Reason::SourceInvalid, message);
        } else if self.is_taken_by_an_entry(&entry.name, &held.kid) {
            let message = format!("key {}: kid {} belongs to another entry: write another kid as import.kid", entry.name, held.kid);
            self.due.stalled(Reason::KidTaken, message);
        } else if !self.may_be_stored(held) {
            if self.look.seen.live.key(held.kid.as_str()).is_some() {
                self.explained.insert(held.kid.clone());
            }
            let message = format!(
                "key {}: kid {} belongs to another key of set {}, which stays as it is: give the new key a new kid, since a verifier that knows the old key would never fetch the new one",
                entry.name, held.kid, self.look.desired.set
            );
            self.due.stalled(Reason::KidTaken, message);
        } else if !held.is_private {
            self.supply_public_source(entry, held);
        } else {
            self.supply_private_source(entry, held);
        }
    }

    /// The private key of the entry in the live set: the one that the Secret holds, else the one that was seen to sign last.
    pub(super) fn serving_import(&self, name: &EntryName, held: Option<&SourceKey>) -> Option<Kid> {
        let own = self.look.seen.private_keys().filter_map(|key| {
            let kid = key.kid()?;
            let record = self.record.keys.get(kid).filter(|record| record.name.as_ref() == Some(name))?;
            let is_usable = matches!(record.state, KeyState::Active | KeyState::Retired)
                && kid::parse_generated(&self.look.desired.set, kid).is_none()
                && !self.look.desired.revoked.contains(kid)
                && !self.replaced.contains(kid);
            let is_held = held.is_some_and(|held| held.is(key));
            is_usable.then_some(((is_held, record.activated_at), kid))
        });
        own.max_by_key(|(order, _)| *order).map(|(_, kid)| kid.into())
    }

    /// While the Secret cannot be read, what was announced of it waits.
    fn keep_waiting(&mut self, name: &EntryName) {
        let waiting = self.record.keys.iter().filter(|(kid, record)| {
            record.name.as_ref() == Some(name)
                && matches!(record.state, KeyState::Announced | KeyState::Planned)
                && self.look.seen.live.key(kid.as_str()).is_some()
                && kid::parse_generated(&self.look.desired.set, kid.as_str()).is_none()
        });
        self.explained.extend(waiting.map(|(kid, _)| kid.clone()));
        self.recheck_announcements(name);
    }

    pub(super) fn is_taken_by_an_entry(&self, name: &EntryName, kid: &Kid) -> bool {
        self.look.desired.entries.iter().any(|other| match &other.source {
            Source::Public { kid: theirs, .. } => theirs == kid,
            // Of two imports of one kid the first by name has it.
            Source::Import(_) => other.name < *name && self.look.seen.source(&other.name).is_some_and(|held| held.kid == *kid),
            // What is invalid takes nothing away, but its kid is not for somebody else's key.
            Source::Invalid(invalid) => {
                let is_held = self.record.keys.get(kid).is_some_and(|record| record.name.as_ref() == Some(name));
                invalid.kid.as_ref() == Some(kid) && !is_held
            }
            Source::Generate { .. } => false,
        })
    }

    fn supply_private_source(&mut self, entry: &Entry, held: &SourceKey) {
        let import = |cause| Step::ImportKey { name: entry.name.clone(), key: Box::new(held.clone()), cause };
        let live = self.look.seen.live.key(held.kid.as_str()).filter(|live| live.is_private() && held.is(live));
        match live {
            Some(live) => {
                let differs = held.public.as_ref().is_some_and(|public| !has_same_members(live, public));
                if differs {
                    self.due.add(Rank::Store, import(PutCause::Supplied));
                } else if let Some(record) = self.record.keys.get_mut(&held.kid) {
                    // A certificate may have been renewed for the same key.
                    record.jwk.clone_from(&held.public);
                }
            }
            None => {
                let timed = self.look.timed();
                let record = self.record.keys.entry(held.kid.clone()).or_insert_with(|| KeyRecord::new(None, KeyState::Planned));
                record.planned_at = record.planned_at.or(timed);
                self.bring_up(Candidate {
                    entry,
                    kid: &held.kid,
                    public: held.public.clone(),
                    thumbprint: held.thumbprint().cloned(),
                    activation: import(PutCause::Activated),
                    is_announced: can_be_announced(held, &entry.timing),
                    is_emergency: self.is_emergency_of(&entry.name),
                    not_before: None,
                    is_held_back: false,
                });
            }
        }
    }

    /// Reports why the Secret cannot be read.
    fn tell_source(&mut self, entry: &Entry, import: &Import, state: &SourceState) {
        let secret = format!("key {}: Secret {}", entry.name, import.secret_ref.name);
        match state {
            SourceState::Missing { why } => {
                let message = format!("{secret}: {why}; the key is imported as soon as it is there, and no other key is made instead");
                self.due.waiting(Reason::SourceMissing, message);
            }
            SourceState::NotLabelled => self.due.stalled(
                Reason::SourceNotLabelled,
                format!("{secret} does not carry the label jwk-operator.dev/import: \"true\" and is not read: add the label if this set may have the key"),
            ),
            SourceState::Invalid { why } => self.due.stalled(Reason::SourceInvalid, format!("{secret}, {why}")),
            SourceState::Held(_) => {}
        }
    }
}
