//! Rules 1 and 4 over one write of a target, and rule 1 over the status.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jwk_operator::{
    api::{FORM_ANNOTATION, JsonWebKeySetStatus, KeyState, KeyStatus, PrivateLayout, PublicForm},
    hydra::emulator::Store,
    jwk::{Jwk, JwkSet},
    lifecycle::Document,
};

use super::{Oracle, TargetWrite, View, id};

const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

impl Oracle {
    /// A document that may hold private keys: one, which is not revoked and which somebody else did not put under an own kid, and no secret
    /// of another key.
    fn check_private_document(&self, document: &str, store: &Store, write: &TargetWrite<'_>) {
        let array = || serde_json::from_str::<Vec<Jwk>>(document).expect("a set or an array");
        let keys = serde_json::from_str::<JwkSet>(document).map_or_else(|_| array(), |set| set.keys);
        let private: Vec<&Jwk> = keys.iter().filter(|key| key.is_private()).collect();
        let secrets = write.spec.publish.iter().flatten().filter_map(|target| target.secret.as_ref());
        let is_jwks = secrets.into_iter().any(|secret| secret.layout == Some(PrivateLayout::Jwks));
        let is_in_order = keys[0].is_private() && (is_jwks || private.len() == 1);
        assert!(is_in_order, "Oathkeeper signs with the last of several: {keys:?}");
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
                let is_shown = keys.iter().any(|shown| shown.members().values().any(|value| value.as_str() == Some(secret)));
                assert!(!is_shown, "a secret of {key:?} is exported");
            }
        }
    }

    /// Rule 1, and rule 4 for what verifiers read; notes what they read from now on.
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
        // It never shows a key but that of the signer, whoever waits for it.
        if write.content.annotations.get(FORM_ANNOTATION).is_some_and(|form| form == PublicForm::PemSigner.as_str()) {
            return Ok(());
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
            // Without kids a key that is revoked under another one is revoked.
            let is_revoked_elsewhere = write.content.annotations.contains_key(FORM_ANNOTATION)
                && write.status.is_some_and(|status| {
                    let revoked = status.keys.iter().filter(|known| write.spec.revoke.contains(&known.kid));
                    revoked.into_iter().any(|known| known.thumbprint.is_some() && known.thumbprint == key.public_thumbprint())
                });
            if !published.contains_key(&kid)
                && !is_revoked_elsewhere
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

fn check_no_secret(text: &str, store: &Store, secrets: &[Jwk]) {
    for key in store.sets().values().flatten().chain(secrets) {
        for member in PRIVATE_MEMBERS {
            if let Some(secret) = key.text(member) {
                assert!(!text.contains(secret), "rule 1: the member {member} of {key:?} is in {text}");
            }
        }
    }
}
