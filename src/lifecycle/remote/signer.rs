//! Who signs: the first private key of the set.

use std::collections::{BTreeMap, BTreeSet};

use super::{due::Due, look::Look};
use crate::jwk::Kid;
use crate::lifecycle::{
    entry_name::EntryName,
    rank::Rank,
    step::{PutCause, Step},
};

/// Puts the intended signer first if another private key is: Hydra signs with the first.
pub(in crate::lifecycle) fn restore_signer(look: Look<'_>, replaced: &BTreeSet<Kid>, active: &BTreeMap<EntryName, Kid>) -> Due {
    let mut due = Due::default();
    let wanted = intended_signer(look, replaced, active).filter(|wanted| look.seen.signer() != Some(*wanted));
    if let Some(key) = wanted.and_then(|wanted| look.seen.live.key(wanted)) {
        due.add(Rank::Signer, Step::PutKey { key: Box::new(key.clone()), cause: PutCause::Signer });
    }
    due
}

/// Whether what shall sign is in front. While the entry of the signer has no key yet, whatever serves another entry signs in its place.
pub(in crate::lifecycle) fn signer_is_in_front(look: Look<'_>, replaced: &BTreeSet<Kid>, active: &BTreeMap<EntryName, Kid>) -> bool {
    match intended_signer(look, replaced, active) {
        Some(wanted) => look.seen.signer() == Some(wanted),
        None => look.seen.signer().is_some_and(|front| active.values().any(|kid| kid == front)),
    }
}

/// The kid of the intended signer, once its key is there. Until then what signs continues, unless somebody else put it under an own kid: then the
/// first other entry that can sign does so. `active` are the kids that serve the entries.
fn intended_signer<'kid>(look: Look<'_>, replaced: &BTreeSet<Kid>, active: &'kid BTreeMap<EntryName, Kid>) -> Option<&'kid str> {
    let named = look.signer_entry().and_then(|name| active.get(name)).map(Kid::as_str);
    named.filter(|kid| !is_unfit(look, kid)).or_else(|| {
        look.seen.signer().filter(|front| replaced.contains(*front) || is_unfit(look, front))?;
        active.values().map(Kid::as_str).find(|kid| can_sign(look, kid))
    })
}

/// Whether Hydra can sign tokens with a live key: not with one for encryption, nor with a symmetric one that no verifier gets.
pub(in crate::lifecycle) fn can_sign(look: Look<'_>, kid: &str) -> bool {
    let can_sign = look.seen.live.key(kid).is_some_and(|key| key.key_use() != Some("enc") && key.public_half().is_some());
    can_sign && !is_unfit(look, kid)
}

/// Whether a live key makes Hydra fail where it signs by itself: an import that an earlier version took.
fn is_unfit(look: Look<'_>, kid: &str) -> bool {
    let key = look.seen.live.key(kid);
    look.desired.set.is_hydras_own() && key.is_some_and(|key| key.is_private() && key.unfit_to_sign().is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        api::{AdminApiSpec, JsonWebKeySet, KeyState, Reason},
        jwk::JwkSet,
        lifecycle::{Local, Observed, Record, SourceState, assess, record::KeyRecord, validate},
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
                ..KeyRecord::new(Some(name.into()), KeyState::Active)
            };
            record.keys.insert(key.kid().expect("a kid").into(), known);
        }
        let mut seen = Observed::new(Local::new(record));
        seen.finalizer = true;
        seen.fold(&Step::ReadLive, crate::lifecycle::Answer::Read { set: live, server_time: None }, now);
        seen.sources.insert("legacy".into(), SourceState::Invalid { why: "it is symmetric".to_owned() });
        let assessment = assess(&desired, &seen, now);
        let is_put_in_front = |step: &Step| matches!(step, Step::PutKey { key, cause: PutCause::Signer } if key.kid() == Some(&kid));
        assert!(assessment.steps.iter().any(is_put_in_front), "{:?}", assessment.steps);
        assert!(assessment.troubles.iter().any(|trouble| trouble.reason == Reason::SourceInvalid), "{:?}", assessment.troubles);
    }
}
