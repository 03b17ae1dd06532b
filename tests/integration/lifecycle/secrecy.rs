//! Whatever comes out of a Secret is sensitive, also if it is no JWK Set: `Debug` shows names and hashes, and no hash can be guessed at.

use std::collections::BTreeMap;

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use jwk_operator::{
    api::TargetKind,
    lifecycle::{Document, HeldTarget, Local, Observed, Step, TargetContent, TargetFailure, TargetId, TargetState, TargetStep},
};
use proptest::prelude::*;
use serde_json::json;

/// How much of a secret may be shown by chance.
const WINDOW: usize = 8;

/// Forms in which people and tools have a key in a Secret, whole or broken.
fn document(form: usize, secret: &[u8]) -> Vec<u8> {
    let base64 = BASE64_URL_SAFE_NO_PAD.encode(secret);
    let lines = BASE64_STANDARD.encode(secret);
    let key = json!({ "kty": "EC", "kid": "a", "crv": "P-256", "x": "f83OJ3D2", "y": "x_FEzRu9", "d": base64, "note": base64 });
    match form {
        0 => json!({ "keys": [key] }).to_string().into_bytes(),
        1 => json!({ "keys": [key] }).to_string().into_bytes().split_last().expect("bytes").1.to_vec(),
        2 => key.to_string().into_bytes(),
        3 => json!([key]).to_string().into_bytes(),
        4 => json!({ "keys": [key, { "k": base64 }] }).to_string().into_bytes(),
        5 => json!({ "keys": [{ "kty": "oct", "kid": "s", "k": base64 }] }).to_string().into_bytes(),
        6 => json!({ "keys": [], "note": base64 }).to_string().into_bytes(),
        7 => format!("-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n").into_bytes(),
        8 => format!("# moved\r\n{lines}").into_bytes(),
        9 => json!({ "keys": { "d": base64 } }).to_string().into_bytes(),
        10 => json!({ "keys": [{ "kty": { "d": base64 } }] }).to_string().into_bytes(),
        11 => base64.into_bytes(),
        _ => secret.to_vec(),
    }
}

/// The secret itself and what it is encoded to, by its windows. Printed bytes come as an escaped string or as a list of numbers.
fn is_shown(secret: &[u8], shown: &str) -> bool {
    let shifted = (0..3).map(|shift| BASE64_STANDARD.encode(&secret[shift..]));
    let url_safe = [BASE64_URL_SAFE_NO_PAD.encode(secret)];
    let encoded = shifted.chain(url_safe).chain([secret.iter().map(|byte| format!("{byte:02x}")).collect()]);
    let is_part = |text: &str| text.as_bytes().windows(WINDOW).any(|window| shown.contains(std::str::from_utf8(window).expect("ASCII")));
    let numbers = |window: &[u8]| window.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    encoded.into_iter().any(|text| is_part(&text))
        || secret.windows(WINDOW).any(|window| shown.contains(&window.escape_ascii().to_string()) || shown.contains(&numbers(window)))
}

proptest! {
    #[test]
    fn nothing_that_a_secret_holds_is_shown(
        secret in proptest::collection::vec(any::<u8>(), 32..64),
        forms in proptest::collection::vec(0..13usize, 1..4),
        asked in any::<bool>(),
    ) {
        let names = ["jwks.json", "tls.key", "other"];
        let data: BTreeMap<_, _> =
            forms.iter().zip(names).map(|(form, name)| (name.to_owned(), Document::read_secret(&document(*form, &secret)))).collect();
        let text = BASE64_STANDARD.encode(document(forms[0], &secret));
        let mut annotations = BTreeMap::from(
            ["kubectl.kubernetes.io/last-applied-configuration", "note", "asked"].map(|name| (name.to_owned(), text.clone())),
        );
        if asked {
            annotations.insert("jwk-operator.dev/managed-metadata".to_owned(), "asked".to_owned());
        }
        let labels = BTreeMap::from([("team".to_owned(), text)]);
        let content = TargetContent::read(data, Some("Opaque".to_owned()), &labels, &annotations);
        prop_assert!(!content.annotations.contains_key("note") && !content.labels.contains_key("team"));
        prop_assert!(!content.annotations.contains_key("kubectl.kubernetes.io/last-applied-configuration"));
        prop_assert_eq!(content.annotations.contains_key("asked"), asked, "one that is no longer asked for must be removed");

        let id = TargetId { kind: TargetKind::Secret, namespace: "shop".into(), name: "jwks".into() };
        let held = HeldTarget { uid: "1".into(), resource_version: "2".into(), is_immutable: false, content: content.clone() };
        let mut seen = Observed::new(Local::default());
        seen.local.targets.insert(id.clone(), TargetState::Held(held.clone()));
        let failed = TargetState::Failed { why: TargetFailure { message: "cannot update a target (422 Invalid)".into(), stalled: true }, last: Some(Box::new(held.clone())) };
        let step = Step::Target(TargetStep::Write { id, content: Box::new(content.clone()), replaces: Some(Box::new(held.clone())) });
        for shown in [format!("{content:?}"), format!("{held:#?}"), format!("{failed:?}"), format!("{step:?}"), format!("{seen:#?}")] {
            prop_assert!(!is_shown(&secret, &shown), "{shown}");
        }
    }

    /// Whoever sees a hash can test a guess of what it is made of.
    #[test]
    fn the_hash_of_private_keys_is_the_same_for_every_secret(one in any::<[u8; 32]>(), other in any::<[u8; 32]>(), form in 0..13usize) {
        let hash = |secret: &[u8]| {
            let data = BTreeMap::from([("jwks.json".to_owned(), Document::read_secret(&document(form, secret)))]);
            TargetContent::read(data, None, &BTreeMap::new(), &BTreeMap::new()).hash()
        };
        prop_assert_eq!(hash(&one), hash(&other));
    }
}

/// The private members of each kind of key, beside what anybody may know.
#[test]
fn the_hash_of_each_kind_of_key_covers_its_public_half_and_nothing_else() {
    let kinds = [
        (json!({ "kty": "RSA", "alg": "RS256", "n": "bm4", "e": "AQAB" }), &["d", "p", "q", "dp", "dq", "qi", "oth"][..], "n"),
        (json!({ "kty": "EC", "alg": "ES256", "crv": "P-256", "x": "eHg", "y": "eXk" }), &["d"][..], "x"),
        (json!({ "kty": "OKP", "alg": "EdDSA", "crv": "Ed25519", "x": "eHg" }), &["d"][..], "x"),
        (json!({ "kty": "oct", "alg": "HS256" }), &["k"][..], "kid"),
        (json!({ "kty": "unknown" }), &["k", "x"][..], "kid"),
    ];
    for (mut key, private, public) in kinds {
        key["kid"] = "a".into();
        let hash = |secret: &str, changed: Option<&str>| {
            let mut key = key.clone();
            private.iter().for_each(|name| key[*name] = secret.into());
            if let Some(name) = changed {
                key[name] = "b3RoZXI".into();
            }
            let document = Document::read_secret(json!({ "keys": [key] }).to_string().as_bytes());
            assert!(document.is_private());
            let data = BTreeMap::from([("jwks.json".to_owned(), document)]);
            TargetContent { data, ..TargetContent::default() }.hash()
        };
        assert_eq!(hash("aHVudGVyMg", None), hash("cGFzc3dvcmQ", None), "{key}");
        assert_ne!(hash("aHVudGVyMg", None), hash("aHVudGVyMg", Some(public)), "{key}");
    }
}

#[test]
fn metadata_of_the_operator_is_compared_and_that_of_others_is_left_alone() {
    let map =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>();
    let managed = ("jwk-operator.dev/managed-metadata", "team,tier");
    let wanted = TargetContent {
        labels: map(&[("app.kubernetes.io/managed-by", "jwk-operator"), ("team", "shop")]),
        annotations: map(&[("jwk-operator.dev/set", "shop.payments"), ("tier", "1"), managed]),
        ..TargetContent::default()
    };
    let read = |labels: &[(&str, &str)], annotations: &[(&str, &str)]| {
        let labels = wanted.labels.clone().into_iter().chain(map(labels)).collect();
        let annotations = wanted.annotations.clone().into_iter().chain(map(annotations)).collect();
        TargetContent::read(BTreeMap::new(), None, &labels, &annotations)
    };
    assert!(!read(&[("theirs", "1")], &[("theirs", "2")]).differs_from(&wanted));
    for changed in [read(&[("team", "other")], &[]), read(&[], &[("tier", "2")]), read(&[], &[("jwk-operator.dev/set", "x")])] {
        assert!(changed.differs_from(&wanted), "{changed:?}");
    }
    let asked_before = read(&[("old", "1")], &[("older", "2"), ("jwk-operator.dev/managed-metadata", "old,older,team,tier")]);
    assert_eq!(asked_before.stale_labels(&wanted).collect::<Vec<_>>(), ["old"]);
    assert_eq!(asked_before.stale_annotations(&wanted).collect::<Vec<_>>(), ["older"]);
}
