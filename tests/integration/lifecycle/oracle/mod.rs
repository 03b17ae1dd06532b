//! What may never happen, checked after every single step.

mod targets;
mod writes;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use jwk_operator::{
    api::{JsonWebKeySetSpec, JsonWebKeySetStatus, KeySource, KeyState},
    jwk::{Jwk, Kid},
    lifecycle::{DEFAULT_RETAIN, HeldTarget, SetId, TargetContent, TargetId, kid},
};

/// How long a key is announced when the spec does not say.
const DEFAULT_PREPUBLISH: SignedDuration = SignedDuration::from_hours(24);

/// What makes two keys of one kid different ones.
type Material = String;

/// The material of a key: the member that no two keys share, which is cheaper than a thumbprint.
fn material(key: &Jwk) -> Material {
    ["x", "n", "k"].iter().find_map(|name| key.text(name)).unwrap_or_default().to_owned()
}

fn id(key: &Jwk) -> (String, Material) {
    (key.kid().unwrap_or_default().to_owned(), material(key))
}

/// One write to a remote set, before and after.
pub struct RemoteWrite<'look> {
    /// The key that was sent to be stored as it is.
    pub stored: Option<&'look Jwk>,
    pub before: &'look [Jwk],
    pub after: &'look [Jwk],
    pub staged_before: &'look [Jwk],
    pub staged_after: &'look [Jwk],
    /// What was asked for when the write was sent.
    pub sent_for: &'look JsonWebKeySetSpec,
    pub status: Option<&'look JsonWebKeySetStatus>,
    pub secrets: &'look [Jwk],
    pub deleting: bool,
    pub late: bool,
    /// The kid of a late write whose key was revoked after it was sent: the targets may have let go of it by then.
    pub revoked_since: Option<&'look str>,
    /// Whether the server refused to store or remove a key in this pass: whoever would have supplied it cannot.
    pub is_refusing: bool,
}

/// One write of a target.
pub struct TargetWrite<'look> {
    pub id: &'look TargetId,
    pub content: &'look TargetContent,
    pub before: Option<&'look HeldTarget>,
    /// An observer mirrors what is there, but for the kids that were recorded before it was made one.
    pub recorded: Option<BTreeSet<String>>,
    pub spec: &'look JsonWebKeySetSpec,
    pub status: Option<&'look JsonWebKeySetStatus>,
    /// Whether the AdminApi lets private keys be in this target.
    pub may_be_private: bool,
}

/// What verifiers could read in one target.
#[derive(Debug)]
struct View {
    first: Timestamp,
    since: BTreeMap<(String, Material), Timestamp>,
}

#[derive(Debug)]
pub struct Oracle {
    /// The id of the set.
    set: SetId,
    /// How much earlier than asked for something may happen: times in status are whole seconds, clocks and watches are not exact.
    slack: SignedDuration,
    /// Material that outsiders put into the set.
    foreign: BTreeSet<Material>,
    /// Kids that the operator published or recorded, with their material.
    published: BTreeMap<String, BTreeSet<Material>>,
    /// Kids without the generated form that the status records as own.
    recorded: BTreeSet<String>,
    /// When a key was last the one that signs.
    signed: BTreeMap<(String, Material), Timestamp>,
    /// Since when the live set holds a key.
    live_since: BTreeMap<(String, Material), Timestamp>,
    views: BTreeMap<TargetId, View>,
    /// The retain that an entry was last seen with.
    retains: BTreeMap<String, SignedDuration>,
}

impl Oracle {
    /// An oracle for a set of which nothing is known.
    pub fn new(set: &str, slack: SignedDuration) -> Self {
        Self {
            set: set.into(),
            slack,
            foreign: BTreeSet::new(),
            published: BTreeMap::new(),
            recorded: BTreeSet::new(),
            signed: BTreeMap::new(),
            live_since: BTreeMap::new(),
            views: BTreeMap::new(),
            retains: BTreeMap::new(),
        }
    }

    /// The entry name and slot of a generated key.
    fn generated<'key>(&self, key: &'key Jwk) -> Option<(&'key str, kid::Slot)> {
        kid::parse_generated(&self.set, key.kid()?)
    }

    /// Whatever an outsider's change brought is the outsider's.
    pub fn note_outsider(&mut self, before: &[Jwk], after: &[Jwk]) {
        let new = after.iter().filter(|key| !before.contains(key)).map(material);
        self.foreign.extend(new.filter(|new| !before.iter().any(|key| &material(key) == new)));
    }

    pub fn is_foreign(&self, key: &Jwk) -> bool {
        self.foreign.contains(&material(key))
    }

    /// The live set changed.
    pub fn note_live(&mut self, before: &[Jwk], after: &[Jwk], now: Timestamp) {
        let ids: BTreeSet<_> = after.iter().map(id).collect();
        self.live_since.retain(|key, _| ids.contains(key));
        for key in ids {
            self.live_since.entry(key).or_insert(now);
        }
        self.note_signer(before, now);
        self.note_signer(after, now);
    }

    fn note_signer(&mut self, live: &[Jwk], now: Timestamp) {
        if let Some(signer) = live.iter().find(|key| key.is_private()).filter(|key| !stays_private(key)) {
            self.signed.insert(id(signer), now);
        }
    }

    /// What keeps its private half after it retired may come in front unseen, and does not serve by that: the newest of its entry serves, if
    /// the status says so.
    fn note_serving(&mut self, write: &RemoteWrite<'_>, now: Timestamp) {
        let slot = |key: &Jwk| self.generated(key).map(|(name, slot)| (name.to_owned(), slot));
        let staying: Vec<_> =
            write.before.iter().filter(|key| key.is_private() && stays_private(key)).filter_map(|key| Some((slot(key)?, key))).collect();
        for ((name, slot), key) in &staying {
            let is_asked_for = write.sent_for.keys.iter().any(|entry| &entry.name == name && entry.generate.is_some());
            let records = write.status.iter().flat_map(|status| &status.keys);
            let is_active = records.into_iter().any(|record| Some(record.kid.as_str()) == key.kid() && record.state == KeyState::Active);
            if is_asked_for && is_active && !staying.iter().any(|((other, newer), _)| other == name && newer > slot) {
                self.signed.insert(id(key), now);
            }
        }
    }

    /// The spec was edited.
    pub fn note_spec(&mut self, spec: &JsonWebKeySetSpec) {
        self.retains.extend(spec.keys.iter().map(|entry| (entry.name.clone(), retain_in(entry))));
    }

    /// A target is not asked for any more.
    pub fn forget_target(&mut self, target: &TargetId) {
        self.views.remove(target);
    }

    /// What is remembered nowhere any more cannot be kept from being used again.
    pub fn forget_unremembered(&mut self, live: &[Jwk], objects: &BTreeMap<TargetId, HeldTarget>) {
        let published: BTreeSet<Kid> = objects.values().flat_map(|held| held.content.published().into_keys()).collect();
        self.published.retain(|kid, _| published.contains(kid.as_str()) || live.iter().any(|key| key.kid() == Some(kid)));
        self.views.retain(|target, _| objects.contains_key(target));
    }

    /// An observer wrote a target: of what was there before only what the status records is still known.
    pub fn forget_unrecorded(&mut self, live: &[Jwk], objects: &BTreeMap<TargetId, HeldTarget>, status: &JsonWebKeySetStatus) {
        let published: BTreeSet<Kid> = objects.values().flat_map(|held| held.content.published().into_keys()).collect();
        let is_recorded = |kid: &String| status.keys.iter().any(|key| &key.kid == kid);
        self.published
            .retain(|kid, _| published.contains(kid.as_str()) || is_recorded(kid) || live.iter().any(|key| key.kid() == Some(kid)));
    }

    /// Notes which material is known under which kid.
    pub fn note_published(&mut self, live: &[Jwk], objects: &BTreeMap<TargetId, HeldTarget>, status: Option<&JsonWebKeySetStatus>) {
        for key in objects.values().flat_map(|held| held.content.published().into_values()) {
            if !self.is_foreign(key.as_jwk()) {
                self.published.entry(key.kid().unwrap_or_default().to_owned()).or_default().insert(material(key.as_jwk()));
            }
        }
        let is_own = |state| !matches!(state, KeyState::Planned | KeyState::Unmanaged | KeyState::Revoked);
        for recorded in status.iter().flat_map(|status| &status.keys).filter(|key| is_own(key.state)) {
            self.recorded.insert(recorded.kid.clone());
            let live =
                live.iter().find(|key| key.kid() == Some(&recorded.kid) && key.is_private() && !self.foreign.contains(&material(key)));
            if let Some(key) = live {
                self.published.entry(recorded.kid.clone()).or_default().insert(material(key));
            }
        }
    }

    /// The shortest time for which the public half must stay.
    fn retain_of(&self, key: &Jwk, spec: &JsonWebKeySetSpec, status: Option<&JsonWebKeySetStatus>) -> SignedDuration {
        let default = SignedDuration::try_from(DEFAULT_RETAIN).expect("a duration");
        let recorded = status.and_then(|status| status.keys.iter().find(|record| Some(record.kid.as_str()) == key.kid()));
        let generated = self.generated(key).map(|(name, _)| name.to_owned());
        let Some(name) = generated.or_else(|| recorded.and_then(|record| record.name.clone())) else { return SignedDuration::ZERO };
        if let Some(entry) = spec.keys.iter().find(|entry| entry.name == name) {
            return retain_in(entry);
        }
        // Of an entry that is gone only the status remembers it, and a lost status nothing.
        let recorded = recorded.and_then(|record| record.retain).map(std::time::Duration::from);
        let recorded = recorded.map_or(default, |retain| SignedDuration::try_from(retain).expect("a duration"));
        default.min(recorded).min(self.retains.get(&name).copied().unwrap_or(default))
    }
}

/// Whether a key has no public half to leave behind, or must still decrypt.
fn stays_private(key: &Jwk) -> bool {
    key.key_use() == Some("enc") || key.public_half().is_none()
}

fn duration(duration: kube::core::Duration) -> SignedDuration {
    SignedDuration::try_from(std::time::Duration::from(duration)).expect("a duration")
}

fn retain_in(entry: &KeySource) -> SignedDuration {
    let default = SignedDuration::try_from(DEFAULT_RETAIN).expect("a duration");
    entry.rotation.as_ref().and_then(|rotation| rotation.retain).map_or(default, duration)
}

fn prepublish_in(entry: &KeySource) -> SignedDuration {
    let Some(rotation) = &entry.rotation else { return DEFAULT_PREPUBLISH };
    let default = rotation.interval.map_or(DEFAULT_PREPUBLISH, |interval| DEFAULT_PREPUBLISH.min(duration(interval) / 4));
    rotation.prepublish.map_or(default, duration)
}
