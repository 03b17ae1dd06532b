//! What may never happen, checked after every single step.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use jwk_operator::{
    api::{JsonWebKeySetSpec, JsonWebKeySetStatus, KeySource, KeyState, KeyStatus, Mode, PrivateLayout, UnmanagedKeys},
    hydra::emulator::Store,
    jwk::{Jwk, JwkSet, Kid},
    lifecycle::{DEFAULT_RETAIN, Document, HeldTarget, SetId, TargetContent, TargetId, kid},
};

const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
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

    /// Rules 2 to 6 over one write. The live set was noted before.
    pub fn check_write(&mut self, write: &RemoteWrite<'_>, now: Timestamp) -> Result<(), String> {
        if write.sent_for.mode == Some(Mode::Observe) {
            return Err("an observer wrote to the remote set".into());
        }
        if write.deleting {
            return self.check_foreign(write);
        }
        self.note_serving(write, now);
        self.check_announced(write, now)?;
        self.check_private_left(write)?;
        self.check_retained(write, now)?;
        self.check_foreign(write)?;
        self.check_needed(write)?;
        self.check_one_key_for_a_kid(write)?;
        self.check_none_lost(write)
    }

    /// Rule 2: what begins to sign was known before, unless nothing could sign.
    fn check_announced(&self, write: &RemoteWrite<'_>, now: Timestamp) -> Result<(), String> {
        let was_private = |key: &Jwk| write.before.iter().any(|old| old.is_private() && id(old) == id(key));
        let signs = |key: &Jwk| key.is_private() && key.public_half().is_some() && key.key_use() != Some("enc");
        let spec = write.sent_for;
        // Somebody else's key under an own kid signs nothing that verifiers would take.
        let is_intruder =
            |key: &Jwk| self.is_foreign(key) && (self.generated(key).is_some() || key.kid().is_some_and(|kid| self.recorded.contains(kid)));
        let may_sign = |key: &&Jwk| key.is_private() && !spec.revoke.iter().any(|kid| key.kid() == Some(kid)) && !is_intruder(key);
        if !write.before.iter().any(|key| may_sign(&key)) {
            return Ok(());
        }
        let was_revoked = |key: &Jwk| write.revoked_since.is_some_and(|kid| key.kid() == Some(kid));
        for key in write.after.iter().filter(|key| signs(key) && !was_private(key) && !was_revoked(key)) {
            let entry = self.entry_of(key, spec, write.secrets);
            let Some(prepublish) = entry.map(prepublish_in).filter(|prepublish| !prepublish.is_zero()) else { continue };
            let at_least = prepublish - self.slack;
            let since = self.announced_since(write, key);
            if since.is_none_or(|since| now.duration_since(since) < at_least) {
                return Err(format!("rule 2: {key:?} signs, in the set only since {since:?}, prepublish {prepublish:?}"));
            }
            for (target, view) in &self.views {
                let since = view.since.get(&id(key));
                let is_first = since.is_some_and(|since| *since <= view.first);
                if !is_first && since.is_none_or(|since| now.duration_since(*since) < at_least) {
                    return Err(format!("rule 2: {key:?} signs, in {target} only since {since:?}, prepublish {prepublish:?}"));
                }
            }
        }
        Ok(())
    }

    /// Since when the set held the key, in either half.
    fn announced_since(&self, write: &RemoteWrite<'_>, key: &Jwk) -> Option<Timestamp> {
        write.before.iter().find(|old| id(old) == id(key)).and_then(|old| self.live_since.get(&id(old)).copied())
    }

    /// The entry that a key serves.
    fn entry_of<'spec>(&self, key: &Jwk, spec: &'spec JsonWebKeySetSpec, secrets: &[Jwk]) -> Option<&'spec KeySource> {
        match self.generated(key) {
            Some((name, _)) => spec.keys.iter().find(|entry| entry.name == name),
            None => {
                let is_held = secrets.iter().any(|secret| material(secret) == material(key));
                let prefix = |entry: &&KeySource| key.kid().is_some_and(|kid| kid.starts_with(&format!("{}.{}.", self.set, entry.name)));
                let explicit = |entry: &&KeySource| entry.import.as_ref().is_some_and(|import| import.kid.as_deref() == key.kid());
                spec.keys.iter().filter(|_| is_held).find(|entry| explicit(entry) || prefix(entry))
            }
        }
    }

    /// Rule 3.
    fn check_private_left(&self, write: &RemoteWrite<'_>) -> Result<(), String> {
        if !write.before.iter().any(Jwk::is_private) || write.after.iter().any(Jwk::is_private) {
            return Ok(());
        }
        let is_revoked = |key: &Jwk| write.sent_for.revoke.iter().any(|kid| key.kid() == Some(kid));
        let generates = write.sent_for.keys.iter().any(|entry| entry.generate.is_some());
        if (generates && !write.is_refusing) || !write.before.iter().filter(|key| key.is_private()).all(is_revoked) {
            return Err("rule 3: no private key is left".into());
        }
        Ok(())
    }

    /// Rule 4 for the set.
    fn check_retained(&self, write: &RemoteWrite<'_>, now: Timestamp) -> Result<(), String> {
        for key in write.before.iter().filter(|key| !self.is_foreign(key)) {
            let is_there = write.after.iter().any(|other| id(other) == id(key));
            if is_there || write.sent_for.revoke.iter().any(|kid| key.kid() == Some(kid)) {
                continue;
            }
            let retain = self.retain_of(key, write.sent_for, write.status);
            if self.signed.get(&id(key)).is_some_and(|signed| now.duration_since(*signed) < retain - self.slack) {
                return Err(format!("rule 4: {key:?} left the set too early, retain {retain:?}"));
            }
        }
        Ok(())
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

    /// Rule 6: what is not ours stays.
    fn check_foreign(&self, write: &RemoteWrite<'_>) -> Result<(), String> {
        for key in write.before.iter().filter(|key| self.is_foreign(key)) {
            let is_revoked = write.sent_for.revoke.iter().any(|kid| key.kid() == Some(kid));
            let own_kid = self.generated(key).is_some() || key.kid().is_some_and(|kid| self.recorded.contains(kid));
            let is_changed = !write.after.iter().any(|other| id(other) == id(key) && other.is_private() == key.is_private());
            if is_changed && !own_kid && !is_revoked && write.sent_for.unmanaged_keys != Some(UnmanagedKeys::Delete) {
                return Err(format!("rule 6: {key:?} of somebody else was changed"));
            }
        }
        Ok(())
    }

    /// Rule 6: no PUT without need.
    fn check_needed(&self, write: &RemoteWrite<'_>) -> Result<(), String> {
        let Some(key) = write.stored else { return Ok(()) };
        let is_same = write.before.iter().any(|other| other == key);
        let is_in_front = write.before.iter().find(|key| key.is_private()).is_some_and(|front| front.kid() == key.kid());
        if is_same && !write.late && (!key.is_private() || is_in_front) {
            return Err(format!("rule 6: {key:?} was stored without need"));
        }
        Ok(())
    }

    /// Rule 5: a kid is never used for a second key.
    fn check_one_key_for_a_kid(&self, write: &RemoteWrite<'_>) -> Result<(), String> {
        let Some(new) = write.after.first().filter(|new| !write.before.contains(new)) else { return Ok(()) };
        let known = self.published.get(new.kid().unwrap_or_default());
        if known.is_some_and(|known| !known.contains(&material(new))) && !self.is_foreign(new) {
            return Err(format!("rule 5: a second key under the kid of {new:?}"));
        }
        Ok(())
    }

    /// Rule 5: a generated key that was announced is not lost by the operator's own doing, unless a newer one took its place.
    fn check_none_lost(&self, write: &RemoteWrite<'_>) -> Result<(), String> {
        let before = write.before.iter().chain(write.staged_before).filter(|key| key.is_private());
        let after = || write.after.iter().chain(write.staged_after).filter(|key| key.is_private());
        for key in before.filter(|key| !after().any(|other| id(other) == id(key))) {
            let Some((name, slot)) = self.generated(key) else { continue };
            let entry = write.sent_for.keys.iter().find(|entry| entry.name == name).and_then(|entry| entry.generate);
            let is_announced = write.after.iter().any(|public| id(public) == id(key));
            let is_revoked = write.sent_for.revoke.iter().any(|kid| key.kid() == Some(kid));
            let fits = entry.is_some_and(|generate| {
                Some(generate.alg.as_str()) == key.alg() && generate.key_use.unwrap_or_default().as_str() == key.key_use().unwrap_or("sig")
            });
            let is_superseded = after().filter_map(|other| self.generated(other)).any(|other| other.0 == name && other.1 > slot);
            if is_announced && fits && !is_revoked && !is_superseded && !self.is_foreign(key) {
                return Err(format!("rule 5: the private half of {key:?} was lost"));
            }
        }
        Ok(())
    }

    /// Rule 1, and rule 4 for what verifiers read; notes what they read from now on.
    /// A document that may hold private keys: one, which is not revoked and which somebody else did not put under an own kid, and no secret
    /// of another key.
    fn check_private_document(&self, document: &str, store: &Store, write: &TargetWrite<'_>) {
        let set: JwkSet = serde_json::from_str(document).expect("a set");
        let private: Vec<&Jwk> = set.keys.iter().filter(|key| key.is_private()).collect();
        let secrets = write.spec.publish.iter().flatten().filter_map(|target| target.secret.as_ref());
        let is_jwks = secrets.into_iter().any(|secret| secret.layout == Some(PrivateLayout::Jwks));
        let is_in_order = set.keys[0].is_private() && (is_jwks || private.len() == 1);
        assert!(is_in_order, "Oathkeeper signs with the last of several: {:?}", set.keys);
        for key in &private {
            let kid = key.kid().expect("a kid");
            assert!(!write.spec.revoke.iter().any(|revoked| revoked == kid), "{kid} is revoked and exported");
            let is_told = |record: &&KeyStatus| record.kid == kid && !matches!(record.state, KeyState::Planned | KeyState::Unmanaged);
            let recorded = write.status.and_then(|status| status.keys.iter().find(is_told)?.thumbprint.clone());
            let is_intruder = self.is_foreign(key) && recorded.is_some_and(|known| key.public_thumbprint() != Some(known));
            assert!(!is_intruder, "{kid} is exported and is not ours");
        }
        for key in store.sets().values().flatten().filter(|key| private.iter().all(|exported| id(key) != id(exported))) {
            for secret in PRIVATE_MEMBERS.iter().filter_map(|member| key.text(member)) {
                let is_shown = set.keys.iter().any(|shown| shown.members().values().any(|value| value.as_str() == Some(secret)));
                assert!(!is_shown, "a secret of {key:?} is exported");
            }
        }
    }

    pub fn check_target(
        &mut self,
        write: TargetWrite<'_>,
        store: &Store,
        secrets: &[Jwk],
        live: &[Jwk],
        now: Timestamp,
    ) -> Result<(), String> {
        for document in write.content.data.values().map(Document::text) {
            if write.may_be_private && write.content.is_private() {
                self.check_private_document(document, store, &write);
                continue;
            }
            check_no_secret(document, store, secrets);
            let set: serde_json::Value = serde_json::from_str(document).expect("a document is JSON");
            for key in set["keys"].as_array().expect("a list of keys") {
                assert!(PRIVATE_MEMBERS.iter().all(|name| key.get(name).is_none()), "rule 1: a private member in {document}");
            }
        }
        let published = write.content.published();
        for (kid, key) in write.before.map(|held| held.content.published()).unwrap_or_default() {
            let key = key.as_jwk();
            // A key for encryption leaves at once: nobody shall encrypt for it any more.
            let signed = self.signed.get(&id(key)).filter(|_| key.key_use() != Some("enc"));
            let retain = self.retain_of(key, write.spec, write.status);
            // The signer is signing now, whenever it was last looked at.
            let signs = live.iter().find(|key| key.is_private()).is_some_and(|signer| id(signer) == id(key));
            let is_early = signs || signed.is_some_and(|signed| now.duration_since(*signed) < retain - self.slack);
            if !published.contains_key(&kid)
                && write.recorded.as_ref().is_none_or(|recorded| recorded.contains(kid.as_str()))
                && !write.spec.revoke.iter().any(|revoked| kid == **revoked)
                // One that was revoked leaves, also when it is not any more.
                && !write.status.is_some_and(|status| status.keys.iter().any(|key| kid == *key.kid && key.state == KeyState::Revoked))
                && !self.is_foreign(key)
                && key.key_use() != Some("enc")
                && is_early
            {
                return Err(format!("rule 4: {kid} left a target too early, retain {retain:?}"));
            }
        }
        let view = self.views.entry(write.id.clone()).or_insert_with(|| View { first: now, since: BTreeMap::new() });
        let ids: BTreeSet<_> = published.values().map(|key| id(key.as_jwk())).collect();
        view.since.retain(|key, _| ids.contains(key));
        for key in ids {
            view.since.entry(key).or_insert(now);
        }
        Ok(())
    }

    /// Rule 1 for the status.
    pub fn check_status(&self, status: &JsonWebKeySetStatus, store: &Store, secrets: &[Jwk]) {
        check_no_secret(&serde_json::to_string(status).expect("a status is JSON"), store, secrets);
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

fn check_no_secret(text: &str, store: &Store, secrets: &[Jwk]) {
    for key in store.sets().values().flatten().chain(secrets) {
        for member in PRIVATE_MEMBERS {
            if let Some(secret) = key.text(member) {
                assert!(!text.contains(secret), "rule 1: the member {member} of {key:?} is in {text}");
            }
        }
    }
}
