//! Which key serves each entry.

use std::collections::{BTreeMap, BTreeSet};

use url::Url;

use super::{due::Due, look::Look, recognise::Recognised, recover::Recovered, refusal::is_refused};
use crate::api::{KeyState, Reason};
use crate::jwk::{Jwk, Kid, PublicJwk, Thumbprint};
use crate::lifecycle::{
    entry_name::EntryName,
    kid::Slot,
    rank::Rank,
    record::{KeyRecord, Record},
    spec::{
        entry::{Entry, Source},
        source::SourceKey,
    },
    step::{PutCause, Step},
};

/// Which key serves each entry, and what is missing.
pub(in crate::lifecycle) struct Supply {
    /// What is remembered, with what serves and what is planned.
    pub(in crate::lifecycle) record: Record,
    /// The private key that serves each entry, by entry name.
    pub(in crate::lifecycle) active: BTreeMap<EntryName, Kid>,
    /// Kids that an entry of the spec names, or that are to be made for one.
    pub(in crate::lifecycle) explained: BTreeSet<Kid>,
    /// Kids of staged keys that wait for their time.
    pub(in crate::lifecycle) kept_staged: BTreeSet<Kid>,
    /// The entry that can put a private key into the set now.
    pub(in crate::lifecycle) capable: Option<EntryName>,
    /// Whether a key is to be put into the staged set.
    pub(in crate::lifecycle) stages_key: bool,
    pub(in crate::lifecycle) due: Due,
}

/// Finds the key that serves each entry, or has it made. `record` is what is remembered of what is there.
pub(in crate::lifecycle) fn supply(look: Look<'_>, own: &Recognised, recovered: &Recovered, record: Record) -> Supply {
    let mut phase = Supplier {
        look,
        replaced: &own.replaced,
        recovered,
        record,
        active: BTreeMap::new(),
        explained: BTreeSet::new(),
        kept_staged: BTreeSet::new(),
        lacks_private_key: false,
        capable: None,
        due: Due::default(),
    };
    phase.supply();
    let Supplier { record, active, explained, kept_staged, capable, due, .. } = phase;
    let stages_key = due.steps.iter().any(|(_, step)| step.stages_key());
    Supply { record, active, explained, kept_staged, capable, stages_key, due }
}

/// The search in progress. How each kind of entry is supplied is in a file of its own.
pub(in crate::lifecycle) struct Supplier<'world> {
    pub(in crate::lifecycle) look: Look<'world>,
    pub(in crate::lifecycle) replaced: &'world BTreeSet<Kid>,
    pub(in crate::lifecycle) recovered: &'world Recovered,
    pub(in crate::lifecycle) record: Record,
    pub(in crate::lifecycle) active: BTreeMap<EntryName, Kid>,
    pub(in crate::lifecycle) explained: BTreeSet<Kid>,
    pub(in crate::lifecycle) kept_staged: BTreeSet<Kid>,
    /// Whether no private key of the set may sign.
    lacks_private_key: bool,
    capable: Option<EntryName>,
    pub(in crate::lifecycle) due: Due,
}

impl Supplier<'_> {
    /// The signer's key is made last: what is made last comes first in the set.
    fn supply(&mut self) {
        let desired = self.look.desired;
        self.lacks_private_key = !self.has_usable_private_key();
        self.capable = self.first_capable().map(|entry| entry.name.clone());
        let signer = self.look.signer_entry();
        let is_signer = |entry: &&Entry| signer == Some(&entry.name);
        let (signer, others): (Vec<_>, Vec<_>) = desired.entries.iter().partition(is_signer);
        let mut serving = Vec::new();
        for entry in others.into_iter().chain(signer) {
            match &entry.source {
                Source::Generate { alg, key_use } => serving.extend(self.supply_generated(entry, *alg, *key_use)),
                Source::Import(import) => self.supply_imported(entry, import),
                Source::Public { key, kid, thumbprint, .. } => self.supply_public(entry, key, kid, thumbprint),
                Source::Invalid(invalid) => self.keep_invalid(&entry.name, invalid),
            }
        }
        self.note_annotation(&serving);
    }

    /// Whether the set holds a private key that may sign. One that somebody else put under an own kid may not: verifiers know that kid with
    /// another key.
    fn has_usable_private_key(&self) -> bool {
        self.look
            .seen
            .private_keys()
            .filter_map(Jwk::kid)
            .any(|kid| !self.look.desired.revoked.contains(kid) && !self.replaced.contains(kid))
    }

    /// The first entry that can put a private key into the set now, beginning with the signer.
    fn first_capable(&self) -> Option<&Entry> {
        let named = self.look.signer_entry();
        let signer = self.look.desired.entries.iter().filter(|entry| named == Some(&entry.name));
        signer.chain(&self.look.desired.entries).filter(|entry| !is_refused(self.look, entry)).find(|entry| match &entry.source {
            Source::Generate { .. } => true,
            Source::Import(_) => self
                .look
                .seen
                .source(&entry.name)
                .is_some_and(|held| held.is_private && self.may_be_stored(held) && !self.is_taken_by_an_entry(&entry.name, &held.kid)),
            Source::Public { .. } | Source::Invalid(_) => false,
        })
    }

    /// Whether `name` is the entry that fills the gap while no private key may sign.
    pub(in crate::lifecycle) fn is_emergency_of(&self, name: &EntryName) -> bool {
        self.lacks_private_key && self.capable.as_ref() == Some(name)
    }

    /// Whether a key of a source may be stored in the set: it is not revoked, and its kid was never that of another key.
    pub(in crate::lifecycle) fn may_be_stored(&self, held: &SourceKey) -> bool {
        !self.look.desired.revoked.contains(&held.kid) && !self.is_taken(&held.kid, held.thumbprint(), |live| held.is(live))
    }

    /// Whether a kid belongs to another key: one that was seen under it, or one of somebody else that is there.
    pub(in crate::lifecycle) fn is_taken(&self, kid: &Kid, wanted: Option<&Thumbprint>, is_wanted: impl Fn(&Jwk) -> bool) -> bool {
        match self.record.keys.get(kid) {
            // Somebody else's key was published under it, too.
            Some(record) if record.state == KeyState::Unmanaged && record.thumbprint.is_some() => {
                return record.thumbprint.as_ref() != wanted;
            }
            Some(record) if !matches!(record.state, KeyState::Unmanaged | KeyState::Planned | KeyState::Revoked) => {
                return record.thumbprint.as_ref() != wanted;
            }
            Some(_) | None => {}
        }
        // What somebody put into a target under a kid that nobody recorded takes nothing.
        let before = &self.look.seen.local.record;
        let published = self.recovered.held.get(kid).filter(|_| before.is_empty() || before.keys.contains_key(kid));
        self.look.seen.live.key(kid.as_str()).is_some_and(|live| !is_wanted(live))
            || published.is_some_and(|published| published.thumbprint().ok().as_ref() != wanted)
    }

    fn supply_public(&mut self, entry: &Entry, key: &PublicJwk, kid: &Kid, wanted: &Thumbprint) {
        let name = &entry.name;
        if self.look.desired.revoked.contains(kid) {
            return;
        }
        self.explained.insert(kid.clone());
        let recorded = self
            .record
            .keys
            .get(kid)
            .filter(|record| !matches!(record.state, KeyState::Unmanaged | KeyState::Revoked))
            .map(|record| record.state);
        let was_seen = recorded.is_some_and(|state| state != KeyState::Planned);
        if was_seen && self.is_taken(kid, Some(wanted), |_| true) {
            self.due.stalled(
                Reason::KidTaken,
                format!("key {name}: kid {kid} belongs to another key of set {}, and a verifier that knows that key would never fetch this one: give this key a new kid", self.look.desired.set),
            );
            return;
        }
        match self.look.seen.live.key(kid.as_str()) {
            Some(live) if live.public_thumbprint().as_ref() == Some(wanted) => {
                if let Some(record) = self.record.keys.get_mut(kid) {
                    record.state = KeyState::Announced;
                    record.retired_at = None;
                    record.jwk = Some(key.clone());
                }
                if !live.is_private() && !has_same_members(live, key) {
                    self.put_public(name, key, kid, wanted, PutCause::Supplied);
                }
            }
            Some(_) if !was_seen => self.due.stalled(
                Reason::KidTaken,
                format!("key {name}: set {} holds another key under kid {kid}, which the operator did not store: give this key another kid", self.look.desired.set),
            ),
            // Somebody stored a private key under this kid, and it is the only one: taking it away would leave nobody to sign.
            Some(live) if live.is_private() && self.look.seen.private_keys().count() == 1 => self.due.stalled(
                Reason::KidTaken,
                format!("key {name}: somebody else stored a private key under kid {kid}, and set {} has no other private key: it stays until another key can sign", self.look.desired.set),
            ),
            _ => {
                if let Some(record) = self.record.keys.get_mut(kid).filter(|_| was_seen) {
                    record.state = KeyState::Announced;
                    record.retired_at = None;
                }
                self.put_public(name, key, kid, wanted, if was_seen { PutCause::Drift } else { PutCause::Supplied });
            }
        }
    }

    fn put_public(&mut self, name: &EntryName, key: &PublicJwk, kid: &Kid, wanted: &Thumbprint, cause: PutCause) {
        let timed = self.look.timed();
        let record = self.record.keys.entry(kid.clone()).or_insert_with(|| KeyRecord::new(Some(name.clone()), KeyState::Planned));
        if matches!(record.state, KeyState::Unmanaged | KeyState::Revoked) {
            *record = KeyRecord::new(Some(name.clone()), KeyState::Planned);
        }
        record.thumbprint = Some(wanted.clone());
        record.jwk = Some(key.clone());
        if record.state == KeyState::Planned {
            record.planned_at = record.planned_at.or(timed);
        }
        self.due.add(Rank::Store, Step::PutKey { key: Box::new(key.as_jwk().clone()), cause });
    }

    /// Marks the key that serves an entry.
    pub(in crate::lifecycle) fn serve(&mut self, name: &EntryName, kid: &Kid) {
        self.active.insert(name.clone(), kid.clone());
        self.explained.insert(kid.clone());
        if let Some(record) = self.record.keys.get_mut(kid) {
            record.state = KeyState::Active;
            record.retired_at = None;
        }
    }

    /// Public keys of a source are stored like those of the spec.
    pub(in crate::lifecycle) fn supply_public_source(&mut self, entry: &Entry, held: &SourceKey) {
        let Some(public) = held.public.clone() else { return };
        self.supply_public(entry, &public, &held.kid, &held.fingerprint);
        if self.look.desired.signer.as_ref() == Some(&entry.name) {
            self.due.stalled(
                Reason::SignerCannotSign,
                format!("key {}: spec.signer names it, but its Secret holds a public key only: put the private key into the Secret, or name another signer", entry.name),
            );
        }
    }
}

/// The generated private key that serves an entry now.
pub(in crate::lifecycle) struct Serving {
    pub(in crate::lifecycle) kid: Kid,
    pub(in crate::lifecycle) slot: Slot,
    /// Whether it is of the algorithm and use that the entry asks for.
    pub(in crate::lifecycle) fits: bool,
}

/// The serving key of an entry, and whether it has a successor.
pub(in crate::lifecycle) type Served = Option<(Serving, bool)>;

/// Whether a live key is what the spec supplies in the members that Hydra keeps; it drops others, such as `key_ops`.
pub(in crate::lifecycle) fn has_same_members(live: &Jwk, wanted: &PublicJwk) -> bool {
    let wanted = wanted.as_jwk();
    let address = |key: &Jwk| key.text("x5u").and_then(|text| Url::parse(text).ok());
    let has_same = |name: &&str| live.members().get(*name) == wanted.members().get(*name);
    ["alg", "use", "x5c", "x5t", "x5t#S256"].iter().all(has_same) && address(live) == address(wanted)
}
