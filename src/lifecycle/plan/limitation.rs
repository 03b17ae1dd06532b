//! Where Hydra and common verifiers are known to misbehave: it is reported, and carried out all the same.

use jiff::SignedDuration;

use crate::api::{Algorithm, PublicForm};
use crate::lifecycle::{
    publication::Target,
    remote::look::Look,
    spec::{
        desired::Desired,
        entry::{Entry, Source},
    },
};

/// How long verifiers keep a set that do not read it again for an unknown kid, with the time until a changed ConfigMap reaches them.
const VERIFIERS: [(&str, SignedDuration); 4] = [
    ("OpenFGA (48h)", SignedDuration::from_hours(48)),
    ("Istio (25m)", SignedDuration::from_mins(25)),
    ("Envoy (12m)", SignedDuration::from_mins(12)),
    ("whatever reads a mounted ConfigMap (2m)", SignedDuration::from_mins(2)),
];

/// Verifiers that read a file when they start, and never again.
const READ_ONCE: &str = "Grafana, Cerbos, Kafka, etcd and PostgREST";

/// What the user of this spec should know, a sentence each.
pub(super) fn limitations(look: Look<'_>) -> Vec<String> {
    let desired = look.desired;
    let mut told = of_hydra(desired);
    told.extend(of_verifiers(desired));
    let entries = || desired.entries.iter();
    told.extend(entries().filter_map(|entry| Some((entry, incomplete(entry)?))).map(|(entry, why)| format!("key {}: {why}", entry.name)));
    for entry in entries() {
        let notes = match &entry.source {
            Source::Public { notes, .. } => notes.as_slice(),
            Source::Import(_) => look.seen.source(&entry.name).map(|held| held.notes.as_slice()).unwrap_or_default(),
            Source::Generate { .. } | Source::Invalid(_) => &[],
        };
        told.extend(notes.iter().map(|note| format!("key {}: {note}", entry.name)));
    }
    told
}

/// Where Hydra misbehaves.
fn of_hydra(desired: &Desired) -> Vec<String> {
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
    if looks_like_an_issuer(set.as_str()) {
        told.push(format!(
            "set {set} is named like an issuer: if it holds the keys of a trust grant for JWT bearer tokens, Hydra drops the grant whenever a key is stored or removed"
        ));
    }
    told
}

/// Where verifiers learn of a new key too late.
fn of_verifiers(desired: &Desired) -> Vec<String> {
    let mut told = Vec::new();
    if let Some((entry, verifiers)) = desired.entries.iter().find_map(|entry| Some((entry, too_late(entry)?))) {
        told.push(format!(
            "key {}: prepublish is shorter than the time that these verifiers need to read a new key: {verifiers}; until then they reject what it signs",
            entry.name
        ));
    }
    let shows_signer_only = |target: &&Target| target.form == PublicForm::PemSigner;
    if let Some(target) = desired.publication.targets.iter().find(shows_signer_only).filter(|_| desired.entries.iter().any(is_replaced)) {
        told.push(format!(
            "{} holds the key of the signer only: its readers reject what the next signer signs until they read it again",
            target.id
        ));
    }
    let is_published = !desired.publication.targets.is_empty();
    if let Some(entry) = desired.entries.iter().find(|entry| is_published && is_replaced(entry)) {
        told.push(format!(
            "key {}: {READ_ONCE} read a file with keys only once: restart them after a new key is announced and before it signs, which is prepublish later",
            entry.name
        ));
    }
    told
}

/// What verifiers miss in a public key of the spec, which is published as it is written.
fn incomplete(entry: &Entry) -> Option<&'static str> {
    let Source::Public { key, .. } = &entry.source else { return None };
    match (key.as_jwk().key_use(), key.as_jwk().alg()) {
        (None, None) => {
            Some("the public key has neither use nor alg: Oathkeeper ignores a key without use, and Cerbos rejects one without alg")
        }
        (None, Some(_)) => Some("the public key has no use: Oathkeeper ignores it"),
        (Some(_), None) => Some("the public key has no alg: Cerbos rejects it"),
        (Some(_), Some(_)) => None,
    }
}

fn algorithm(entry: &Entry) -> Option<Algorithm> {
    match &entry.source {
        Source::Generate { alg, .. } => Some(*alg),
        Source::Import(_) | Source::Public { .. } | Source::Invalid(_) => None,
    }
}

/// The verifiers that miss the announcement of a key of this entry.
fn too_late(entry: &Entry) -> Option<String> {
    let late = VERIFIERS.iter().filter(|(_, learn)| is_replaced(entry) && entry.timing.prepublish < *learn).map(|(name, _)| *name);
    let late = late.collect::<Vec<_>>().join(", ");
    (!late.is_empty()).then_some(late)
}

/// Whether the key of an entry is replaced by another one some day.
fn is_replaced(entry: &Entry) -> bool {
    match entry.source {
        Source::Generate { .. } => entry.timing.interval.is_some(),
        Source::Import(_) => true,
        Source::Public { .. } | Source::Invalid(_) => false,
    }
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
    use jiff::Timestamp;

    use super::*;
    use crate::{
        api::{AccessRule, AdminApiSpec, Generate, JsonWebKeySet, JsonWebKeySetSpec, KeySource, Namespaces, Rotation},
        lifecycle::{Local, Observed, Record, validate},
    };

    fn told(set: &str, alg: Algorithm, interval: bool) -> Vec<String> {
        let day = std::time::Duration::from_secs(86_400);
        let rotation = interval.then(|| Rotation { interval: Some(day.into()), ..Rotation::default() });
        let entry = KeySource { name: "signing".into(), generate: Some(Generate { alg, key_use: None }), rotation, ..KeySource::default() };
        told_of(set, entry)
    }

    fn told_of(set: &str, entry: KeySource) -> Vec<String> {
        let resource = JsonWebKeySet::new("x", JsonWebKeySetSpec { set: Some(set.into()), keys: vec![entry], ..Default::default() });
        let namespaces = Namespaces { all: Some(true), ..Namespaces::default() };
        let rule = AccessRule { namespaces, sets: vec![set.into()], ..AccessRule::default() };
        let api = AdminApiSpec { access: vec![rule], ..AdminApiSpec::default() };
        let desired = validate(&resource, &api, None).expect("granted and valid");
        let seen = Observed::new(Local::new(Record::default()));
        limitations(Look { desired: &desired, seen: &seen, now: Timestamp::UNIX_EPOCH })
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
        assert_eq!(told("shop.payments", Algorithm::EdDSA, false), Vec::<String>::new());
        let rotated = told("shop.payments", Algorithm::EdDSA, true);
        assert!(rotated.len() == 2 && rotated[0].contains("OpenFGA (48h)") && rotated[1].contains("Grafana"), "{rotated:?}");
        assert!(told("accounts.example.com", Algorithm::ES256, false)[0].contains("Hydra drops the grant"));
    }

    /// A public key of the spec is published as it is written: whoever needs more of it is named.
    #[test]
    fn what_a_public_key_lacks_is_named_with_who_needs_it() {
        let told = |members: serde_json::Value| {
            let mut key = serde_json::json!({
                "kty": "EC", "crv": "P-256", "kid": "partner",
                "x": "rSIDFmgcMlx2LE4JA5NDM5TAhlFCIn3-d91nEid3Yhs", "y": "bzLj7T1-P43KXbNLB8vhxPq_Ag0DDsk0Exrv8klMFsw",
            });
            key.as_object_mut().expect("an object").extend(members.as_object().expect("members").clone());
            let entry = serde_json::json!({ "name": "partner", "public": key });
            let entry: KeySource = serde_json::from_value(entry).expect("an entry");
            told_of("shop.payments", entry)
        };
        assert_eq!(told(serde_json::json!({ "use": "sig", "alg": "ES256" })), Vec::<String>::new());
        for (members, who) in [
            (serde_json::json!({ "alg": "ES256" }), "key partner: the public key has no use: Oathkeeper"),
            (serde_json::json!({ "use": "sig" }), "key partner: the public key has no alg: Cerbos"),
            (serde_json::json!({}), "neither use nor alg"),
        ] {
            let told = told(members);
            assert!(told.len() == 1 && told[0].contains(who), "{told:?}");
        }
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
