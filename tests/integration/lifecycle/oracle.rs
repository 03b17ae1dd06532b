//! What may never happen, checked after every single step.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use jwk_operator::{
    api::{JsonWebKeySetSpec, JsonWebKeySetStatus, KeyState, Mode, UnmanagedKeys},
    hydra::emulator::Store,
    jwk::Jwk,
    lifecycle::{DEFAULT_RETAIN, HeldTarget, Step, TargetContent, TargetId, kid},
};

use super::world::SET;

const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The material of a key: what makes two keys of one kid different ones.
fn material(key: &Jwk) -> String {
    key.thumbprint().map(|thumbprint| thumbprint.to_string()).unwrap_or_default()
}

#[derive(Debug, Default)]
pub struct Oracle {
    /// Material that outsiders put into the set.
    foreign: BTreeSet<String>,
    /// Kids that the operator published or recorded, with their material.
    published: BTreeMap<String, BTreeSet<String>>,
    /// Kids without the generated form that the status records as own.
    recorded: BTreeSet<String>,
    /// When a key was last the one that signs.
    signed: BTreeMap<(String, String), Timestamp>,
}

impl Oracle {
    /// Whatever an outsider's change brought is the outsider's.
    pub fn note_outsider(&mut self, before: &[Jwk], after: &[Jwk]) {
        self.foreign.extend(after.iter().map(material).filter(|new| !before.iter().any(|key| &material(key) == new)));
    }

    pub fn is_foreign(&self, key: &Jwk) -> bool {
        self.foreign.contains(&material(key))
    }

    pub fn note_signer(&mut self, live: &[Jwk], now: Timestamp) {
        if let Some(signer) = live.iter().find(|key| key.is_private()) {
            self.signed.insert((signer.kid().unwrap_or_default().to_owned(), material(signer)), now);
        }
    }

    /// What is remembered nowhere any more cannot be kept from being used again.
    pub fn forget_unremembered(&mut self, live: &[Jwk], objects: &BTreeMap<TargetId, HeldTarget>) {
        let published: BTreeSet<String> = objects.values().flat_map(|held| held.content.published().into_keys()).collect();
        self.published.retain(|kid, _| published.contains(kid) || live.iter().any(|key| key.kid() == Some(kid)));
    }

    /// Notes which material is known under which kid.
    pub fn note_published(&mut self, live: &[Jwk], objects: &BTreeMap<TargetId, HeldTarget>, status: Option<&JsonWebKeySetStatus>) {
        for key in objects.values().flat_map(|held| held.content.published().into_values()) {
            if !self.is_foreign(key.as_jwk()) {
                self.published.entry(key.kid().unwrap_or_default().to_owned()).or_default().insert(material(key.as_jwk()));
            }
        }
        for recorded in
            status.iter().flat_map(|status| &status.keys).filter(|key| key.state != KeyState::Planned && key.state != KeyState::Unmanaged)
        {
            self.recorded.insert(recorded.kid.clone());
            let live =
                live.iter().find(|key| key.kid() == Some(&recorded.kid) && key.is_private() && !self.foreign.contains(&material(key)));
            if let Some(key) = live {
                self.published.entry(recorded.kid.clone()).or_default().insert(material(key));
            }
        }
    }

    /// Rules 3 to 6 over one write.
    #[expect(clippy::too_many_arguments, reason = "a look at everything")]
    pub fn check_write(
        &mut self,
        step: &Step,
        before: &[Jwk],
        after: &[Jwk],
        spec: &JsonWebKeySetSpec,
        deleting: bool,
        late: bool,
        now: Timestamp,
    ) -> Result<(), String> {
        self.note_signer(before, now);
        if spec.mode == Some(Mode::Observe) && !late {
            return Err("an observer wrote to the remote set".into());
        }
        let had_private = before.iter().any(Jwk::is_private);
        if had_private && !after.iter().any(Jwk::is_private) && !deleting {
            return Err("rule 3: no private key is left".into());
        }
        for key in before {
            let kept = after.iter().find(|other| other.kid() == key.kid());
            let changed = kept.is_none_or(|kept| material(kept) != material(key) || kept.is_private() != key.is_private());
            let gone = kept.is_none_or(|kept| material(kept) != material(key));
            let own_kid = key.kid().is_some_and(|kid| kid::parse_generated(SET, kid).is_some() || self.recorded.contains(kid));
            if changed && self.is_foreign(key) && !own_kid && spec.unmanaged_keys != Some(UnmanagedKeys::Delete) {
                return Err(format!("rule 6: {key:?} of somebody else was changed"));
            }
            let signed = self.signed.get(&(key.kid().unwrap_or_default().to_owned(), material(key)));
            let retain = SignedDuration::try_from(DEFAULT_RETAIN).expect("a duration");
            if gone
                && !deleting
                && !self.is_foreign(key)
                && signed.is_some_and(|signed| now.duration_since(*signed) < retain - SignedDuration::from_secs(1))
            {
                return Err(format!("rule 4: {key:?} left the set too early"));
            }
        }
        if let Step::PutKey { key, .. } = step {
            let same = before.iter().find(|other| other.kid() == key.kid()).is_some_and(|other| other == &**key);
            let is_in_front = before.iter().find(|key| key.is_private()).is_some_and(|front| front.kid() == key.kid());
            if same && !late && (!key.is_private() || is_in_front) {
                return Err(format!("rule 6: {key:?} was stored without need"));
            }
        }
        if let Some(new) = after.first().filter(|new| !before.contains(new)) {
            let known = self.published.get(new.kid().unwrap_or_default());
            if known.is_some_and(|known| !known.contains(&material(new))) && !self.is_foreign(new) {
                return Err(format!("rule 5: a second key under the kid of {new:?}"));
            }
        }
        self.note_signer(after, now);
        Ok(())
    }

    /// Rule 1, and rule 4 for what verifiers read.
    pub fn check_target(
        &self,
        content: &TargetContent,
        before: Option<&HeldTarget>,
        only: Option<BTreeSet<String>>,
        store: &Store,
        now: Timestamp,
    ) -> Result<(), String> {
        for document in content.data.values() {
            check_no_secret(document, store);
            let set: serde_json::Value = serde_json::from_str(document).expect("a document is JSON");
            for key in set["keys"].as_array().expect("a list of keys") {
                assert!(PRIVATE_MEMBERS.iter().all(|name| key.get(name).is_none()), "rule 1: a private member in {document}");
            }
        }
        let published = content.published();
        for (kid, key) in before.map(|held| held.content.published()).unwrap_or_default() {
            // A key for encryption leaves at once: nobody shall encrypt for it any more.
            let signed = self.signed.get(&(kid.clone(), material(key.as_jwk()))).filter(|_| key.as_jwk().key_use() != Some("enc"));
            let retain = SignedDuration::try_from(DEFAULT_RETAIN).expect("a duration");
            if !published.contains_key(&kid)
                && only.as_ref().is_none_or(|only| only.contains(&kid))
                && !self.is_foreign(key.as_jwk())
                && signed.is_some_and(|signed| now.duration_since(*signed) < retain - SignedDuration::from_secs(1))
            {
                return Err(format!("rule 4: {kid} left a target too early"));
            }
        }
        Ok(())
    }

    /// Rule 1 for the status.
    pub fn check_status(&self, status: &JsonWebKeySetStatus, store: &Store) {
        check_no_secret(&serde_json::to_string(status).expect("a status is JSON"), store);
    }
}

fn check_no_secret(text: &str, store: &Store) {
    for key in store.sets().values().flatten() {
        for member in PRIVATE_MEMBERS {
            if let Some(secret) = key.text(member) {
                assert!(!text.contains(secret), "rule 1: the member {member} of {key:?} is in {text}");
            }
        }
    }
}
