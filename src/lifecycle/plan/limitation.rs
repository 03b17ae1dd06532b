//! Where Hydra and common verifiers are known to misbehave: it is reported, and carried out all the same.

use jiff::SignedDuration;

use crate::api::Algorithm;
use crate::lifecycle::spec::desired::{Desired, Entry, Source};

/// How long verifiers keep a set that do not read it again for an unknown kid, with the time until a changed ConfigMap reaches them.
const VERIFIERS: [(&str, SignedDuration); 3] = [
    ("Istio (25m)", SignedDuration::from_mins(25)),
    ("Envoy (12m)", SignedDuration::from_mins(12)),
    ("whatever reads a mounted ConfigMap (2m)", SignedDuration::from_mins(2)),
];

/// What the user of this spec should know, a sentence each.
pub(super) fn limitations(desired: &Desired) -> Vec<String> {
    let set = &desired.set;
    let mut told = Vec::new();
    if set.is_hydras_own() {
        if let Some(entry) = desired.entries.iter().find(|entry| entry.timing.interval.is_some()) {
            told.push(format!(
                "key {}: after a rotation in Hydra's own set {set}, refresh token chains keep the kid of the key they began with, and id_token_hint and introspection know the newest key only: interval and retain must outlast the longest session",
                entry.name
            ));
        }
        if let Some(entry) = desired.entries.iter().find(|entry| algorithm(entry) == Some(Algorithm::EdDSA)) {
            told.push(format!(
                "key {}: Hydra signs with EdDSA in its own set {set}, but cannot check an id_token_hint or introspect a token with such a signature: use ES256 or RS256",
                entry.name
            ));
        }
    }
    if let Some(entry) = desired.entries.iter().find(|entry| algorithm(entry).is_some_and(Algorithm::is_symmetric)) {
        told.push(format!(
            "key {}: a symmetric key makes Hydra's /.well-known/jwks.json fail for everybody if Hydra serves set {set} there",
            entry.name
        ));
    }
    if let Some((entry, verifiers)) = desired.entries.iter().find_map(|entry| Some((entry, too_late(entry)?))) {
        told.push(format!(
            "key {}: prepublish is shorter than the time that these verifiers need to read a new key: {verifiers}; until then they reject what it signs",
            entry.name
        ));
    }
    if looks_like_an_issuer(set.as_str()) {
        told.push(format!(
            "set {set} is named like an issuer: if it holds the keys of a trust grant for JWT bearer tokens, Hydra drops the grant whenever a key is stored or removed"
        ));
    }
    told
}

fn algorithm(entry: &Entry) -> Option<Algorithm> {
    match &entry.source {
        Source::Generate { alg, .. } => Some(*alg),
        Source::Import(_) | Source::Public { .. } => None,
    }
}

/// The verifiers that miss the announcement of a key of this entry.
fn too_late(entry: &Entry) -> Option<String> {
    let is_replaced = match entry.source {
        Source::Generate { .. } => entry.timing.interval.is_some(),
        Source::Import(_) => true,
        Source::Public { .. } => false,
    };
    let late = VERIFIERS.iter().filter(|(_, learn)| is_replaced && entry.timing.prepublish < *learn).map(|(name, _)| *name);
    let late = late.collect::<Vec<_>>().join(", ");
    (!late.is_empty()).then_some(late)
}

/// Whether a set id is written like the issuer of a token: a URI, or the name of a host.
fn looks_like_an_issuer(set: &str) -> bool {
    let lower = set.to_ascii_lowercase();
    let is_uri = ["http:", "https:", "urn:"].iter().any(|scheme| lower.starts_with(scheme));
    let is_host = lower.rsplit_once('.').is_some_and(|(_, last)| ["com", "org", "net", "io", "dev", "cloud", "app"].contains(&last));
    is_uri || is_host
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{AccessRule, AdminApiSpec, Generate, JsonWebKeySet, JsonWebKeySetSpec, KeySource, Namespaces, Rotation},
        lifecycle::validate,
    };

    fn told(set: &str, alg: Algorithm, interval: bool) -> Vec<String> {
        let day = std::time::Duration::from_secs(86_400);
        let rotation = interval.then(|| Rotation { interval: Some(day.into()), ..Rotation::default() });
        let entry = KeySource { name: "signing".into(), generate: Some(Generate { alg, key_use: None }), rotation, ..KeySource::default() };
        let resource = JsonWebKeySet::new("x", JsonWebKeySetSpec { set: Some(set.into()), keys: vec![entry], ..Default::default() });
        let namespaces = Namespaces { all: Some(true), ..Namespaces::default() };
        let rule = AccessRule { namespaces, sets: vec![set.into()], ..AccessRule::default() };
        let api = AdminApiSpec { access: vec![rule], ..AdminApiSpec::default() };
        limitations(&validate(&resource, &api, None).expect("granted and valid"))
    }

    #[test]
    fn hydras_own_sets_have_limits_of_their_own() {
        let own = "hydra.openid.id-token";
        assert!(
            told(own, Algorithm::RS256, true)[0].contains("refresh token chains")
                && told(own, Algorithm::RS256, true)[0].contains("id_token_hint")
        );
        assert!(told(own, Algorithm::EdDSA, false)[0].contains("cannot check an id_token_hint"));
        assert_eq!(told(own, Algorithm::RS256, false), Vec::<String>::new());
        assert_eq!(told("shop.payments", Algorithm::EdDSA, true), Vec::<String>::new());
        assert!(told("accounts.example.com", Algorithm::ES256, false)[0].contains("Hydra drops the grant"));
    }

    #[test]
    fn an_issuer_is_told_from_a_set() {
        for issuer in ["https:accounts", "urn:shop:issuer", "accounts.example.com"] {
            assert!(looks_like_an_issuer(issuer), "{issuer}");
        }
        for set in ["shop.payments", "prod:shop.payments", "hydra.openid.id-token"] {
            assert!(!looks_like_an_issuer(set), "{set}");
        }
    }
}
