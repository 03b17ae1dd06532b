//! Who signs, who stops, who leaves, and who was taken away.

use super::{
    access,
    assessor::Assessor,
    kid,
    rank::Rank,
    record::KeyRecord,
    step::{DeleteCause, Place, PutCause, Step},
};
use crate::api::{KeyState, Reason, UnmanagedKeys};
use crate::jwk::{Jwk, PublicJwk};

impl Assessor<'_> {
    /// The kid of the intended signer, once its key is there. Until then what signs continues, unless somebody else put it under an own kid:
    /// then the first other entry that can sign does so.
    fn intended_signer(&self) -> Option<&str> {
        let named = self.desired.signer.as_ref().and_then(|name| self.active.get(name)).map(String::as_str);
        named.filter(|kid| !self.is_unfit(kid)).or_else(|| {
            self.seen.signer().filter(|front| self.replaced.contains(*front) || self.is_unfit(front))?;
            self.active.values().map(String::as_str).find(|kid| self.can_sign(kid))
        })
    }

    /// Whether Hydra can sign tokens with a live key: not with one for encryption, nor with a symmetric one that no verifier gets.
    pub(super) fn can_sign(&self, kid: &str) -> bool {
        let can_sign = self.seen.live.key(kid).is_some_and(|key| key.key_use() != Some("enc") && key.public_half().is_some());
        can_sign && !self.is_unfit(kid)
    }

    /// Whether a live key makes Hydra fail where it signs by itself: an import that an earlier version took.
    fn is_unfit(&self, kid: &str) -> bool {
        let key = self.seen.live.key(kid);
        access::is_hydras_own(&self.desired.set) && key.is_some_and(|key| key.is_private() && key.unfit_to_sign().is_some())
    }

    /// Whether a private half that somebody else put under an own kid may leave: whatever signs, it is not that.
    fn is_intruder_behind(&self, kid: &str) -> bool {
        let front = self.seen.signer();
        self.replaced.contains(kid) && front.is_some_and(|front| !self.replaced.contains(front) && !self.desired.revoked.contains(front))
    }

    /// Puts the intended signer first if another private key is: Hydra signs with the first.
    pub(super) fn restore_signer(&mut self) {
        let Some(wanted) = self.intended_signer() else { return };
        if self.seen.signer() == Some(wanted) {
            return;
        }
        if let Some(key) = self.seen.live.key(wanted) {
            self.add(Rank::Signer, Step::PutKey { key: Box::new(key.clone()), cause: PutCause::Signer });
        }
    }

    /// Takes the private half out of the set for every key that serves no entry, and removes what retired long enough ago.
    pub(super) fn retire(&mut self) {
        // While the entry of the signer has no key yet, whatever serves another entry signs in its place.
        let signer_is_in_front = match self.intended_signer() {
            Some(wanted) => self.seen.signer() == Some(wanted),
            None => self.seen.signer().is_some_and(|front| self.active.values().any(|kid| kid == front)),
        };
        for key in &self.seen.live.keys {
            let Some(kid) = key.kid() else { continue };
            if self.explained.contains(kid) || self.desired.revoked.contains(kid) {
                continue;
            }
            let is_own = self.record.keys.get(kid).is_some_and(|record| record.state != KeyState::Unmanaged);
            if !is_own && self.desired.unmanaged_keys == UnmanagedKeys::Keep {
                continue;
            }
            if key.is_private() {
                if signer_is_in_front || self.is_intruder_behind(kid) {
                    if is_own || self.seen.told.contains(kid) {
                        self.retire_private(key, kid, is_own);
                    } else {
                        self.add(Rank::Retire, Step::TellUnmanagedLeave { kids: vec![kid.to_owned()] });
                    }
                } else if is_own {
                    self.tell_if_last(kid);
                }
            } else if is_own || signer_is_in_front {
                self.retire_public(kid);
            }
        }
    }

    /// The signer is in front, so this key does not sign: its public half takes its place. What has no public half to leave behind, or must
    /// still decrypt, stays as it is until it is removed.
    fn retire_private(&mut self, key: &Jwk, kid: &str, is_own: bool) {
        let recorded = self.record.keys.get(kid).and_then(|record| record.jwk.clone()).filter(|_| is_own);
        let is_genuine = !self.replaced.contains(kid);
        match recorded.or_else(|| key.public_half().filter(|_| is_genuine)) {
            Some(public) if key.key_use() != Some("enc") || !is_genuine => {
                let cause = if is_genuine { PutCause::Retired } else { PutCause::Drift };
                self.add(Rank::Retire, Step::PutKey { key: Box::new(public.as_jwk().clone()), cause });
            }
            _ => {
                let timed = self.timed();
                // It may have come in front once more since it retired.
                let stopped = self.seen.stopped_signing.get(kid).copied().filter(|_| timed.is_some());
                if let Some(record) = self.record.keys.get_mut(kid) {
                    if is_own {
                        record.state = KeyState::Retired;
                    }
                    record.retired_at = record.retired_at.max(stopped).or(timed);
                }
                self.expire(kid);
            }
        }
    }

    fn retire_public(&mut self, kid: &str) {
        let timed = self.timed();
        let is_staged_unknown = self.seen.staged.is_none();
        let Some(record) = self.record.keys.get_mut(kid) else { return };
        if record.state != KeyState::Unmanaged {
            if is_staged_unknown && matches!(record.state, KeyState::Planned | KeyState::Staged | KeyState::Announced) {
                // Its private half may be waiting.
                return;
            }
            record.state = KeyState::Retired;
        }
        record.retired_at = record.retired_at.or(timed);
        let genuine = record.jwk.clone().filter(|_| self.replaced.contains(kid));
        if self.expire(kid) {
            return;
        }
        if let Some(genuine) = genuine {
            self.add(Rank::Retire, Step::PutKey { key: Box::new(genuine.as_jwk().clone()), cause: PutCause::Drift });
        }
    }

    /// Lets a retired key go when its time has come: out of the targets first, then out of the set. Answers whether the time has come.
    fn expire(&mut self, kid: &str) -> bool {
        let Some(after) = self.record.keys.get(kid).and_then(KeyRecord::remove_after) else { return false };
        let Some(now) = self.timed() else { return false };
        if now < after {
            self.wake_at(after);
            return false;
        }
        self.expired.insert(kid.to_owned());
        if !self.held_kids.contains(kid) {
            self.add(Rank::Remove, Step::DeleteKey { place: Place::Live, kid: kid.to_owned(), cause: DeleteCause::Expired });
        }
        true
    }

    /// A key whose entry is gone keeps signing while no entry can take over: a set that had a private key is never left without one.
    fn tell_if_last(&mut self, kid: &str) {
        if self.capable.is_none() {
            let message = format!(
                "kid {kid} has no entry in spec.keys any more, but stays: no entry of set {} can sign in its place",
                self.desired.set
            );
            self.notice(Reason::LastPrivateKey, message);
        }
    }

    /// The entry that exactly this key was written down for.
    fn planned_for(&self, kid: &str, key: &PublicJwk) -> Option<String> {
        let record = self.record.keys.get(kid).filter(|record| record.state == KeyState::Planned)?;
        record.name.clone().filter(|_| record.thumbprint.is_some() && record.thumbprint == key.thumbprint().ok())
    }

    /// An own key that vanished from the set stays published as recorded, and goes back into the set as its public half: a verifier may
    /// still meet its signatures. A lost status is read back from the targets.
    pub(super) fn put_back_vanished(&mut self) {
        for (kid, key) in self.remembered.clone() {
            let name = match kid::parse_generated(&self.desired.set, &kid) {
                Some((name, slot)) => {
                    self.record.note_slot(name, slot);
                    name.to_owned()
                }
                // Its entry may be gone, but it was written down for it before it was stored.
                None => match self.supplier(&kid).map(|entry| entry.name.clone()).or_else(|| self.planned_for(&kid, &key)) {
                    Some(name) => name,
                    None => continue,
                },
            };
            // A key that was made and published before a crash is known to the targets only.
            let is_recorded =
                self.record.keys.get(&kid).is_some_and(|record| !matches!(record.state, KeyState::Planned | KeyState::Staged));
            let known = self.record.keys.get(&kid).and_then(|record| record.thumbprint.clone());
            let may_be_it = known.is_none_or(|known| key.thumbprint().as_ref() == Ok(&known));
            if !is_recorded && may_be_it {
                let record =
                    KeyRecord { thumbprint: key.thumbprint().ok(), jwk: Some(key), ..KeyRecord::new(Some(&name), KeyState::Retired) };
                self.record.keys.insert(kid, record);
            }
        }
        let timed = self.timed();
        let mut vanished = Vec::new();
        for (kid, record) in &mut self.record.keys {
            let is_waited_for = self.seen.live.key(kid).is_some() || self.explained.contains(kid);
            let was_never_told = matches!(record.state, KeyState::Planned | KeyState::Staged | KeyState::Unmanaged | KeyState::Revoked);
            if is_waited_for || was_never_told {
                continue;
            }
            record.state = KeyState::Retired;
            record.retired_at = record.retired_at.or(timed);
            vanished.push((kid.clone(), record.jwk.clone(), record.remove_after()));
        }
        for (kid, jwk, remove_after) in vanished {
            let Some(jwk) = jwk.filter(|jwk| jwk.as_jwk().key_use() != Some("enc")) else { continue };
            if let (Some(now), Some(after)) = (timed, remove_after) {
                if now >= after {
                    self.expired.insert(kid);
                    continue;
                }
                self.wake_at(after);
            }
            self.add(Rank::Retire, Step::PutKey { key: Box::new(jwk.as_jwk().clone()), cause: PutCause::Drift });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        api::{AdminApiSpec, JsonWebKeySet},
        jwk::JwkSet,
        lifecycle::{Local, Observed, Record, SourceState, assess, validate},
    };

    /// What an earlier version imported stops Hydra from signing: another own key signs, and the import is reported.
    #[test]
    fn an_import_that_cannot_sign_does_not_stay_in_front_of_hydras_own_set() {
        let set = "hydra.jwt.access-token";
        let kid = format!("{set}.signing.20261123T120000Z");
        let object = json!({
            "metadata": { "name": "x", "namespace": "shop", "creationTimestamp": "2026-11-23T12:00:00Z" },
            "spec": {
                "set": set, "signer": "legacy", "publish": [],
                "keys": [
                    { "name": "legacy", "import": { "secretRef": { "name": "legacy" }, "kid": "legacy" } },
                    { "name": "signing", "generate": { "alg": "ES256" } },
                ],
            },
        });
        let resource: JsonWebKeySet = serde_json::from_value(object).expect("a resource");
        let rules = json!({ "url": "http://hydra", "access": [{ "namespaces": { "all": true }, "sets": [set] }] });
        let api: AdminApiSpec = serde_json::from_value(rules).expect("an AdminApi");
        let desired = validate(&resource, &api, None).expect("granted");
        let live = json!({ "keys": [
            { "kty": "oct", "kid": "legacy", "use": "sig", "alg": "HS256", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr8" },
            {
                "kty": "EC", "kid": kid, "use": "sig", "alg": "ES256", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
            },
        ]});
        let live: JwkSet = serde_json::from_value(live).expect("a set");
        let now = "2026-11-24T12:00:00Z".parse().expect("a time");
        let mut record = Record { origin: Some(crate::api::Origin::Created), ..Record::default() };
        for (key, name) in live.keys.iter().zip(["legacy", "signing"]) {
            let known = KeyRecord {
                thumbprint: key.public_thumbprint(),
                jwk: key.public_half(),
                activated_at: Some("2026-11-23T12:00:00Z".parse().expect("a time")),
                ..KeyRecord::new(Some(name), KeyState::Active)
            };
            record.keys.insert(key.kid().expect("a kid").to_owned(), known);
        }
        let mut seen = Observed::new(Local::new(record));
        seen.finalizer = true;
        seen.fold(&Step::ReadLive, crate::lifecycle::Answer::Read { set: live, server_time: None }, now);
        seen.sources.insert("legacy".to_owned(), SourceState::Invalid { why: "it is symmetric".to_owned() });
        let assessment = assess(&desired, &seen, now);
        let is_put_in_front = |step: &Step| matches!(step, Step::PutKey { key, cause: PutCause::Signer } if key.kid() == Some(&kid));
        assert!(assessment.steps.iter().any(is_put_in_front), "{:?}", assessment.steps);
        assert!(assessment.troubles.iter().any(|trouble| trouble.reason == Reason::SourceInvalid), "{:?}", assessment.troubles);
    }
}
