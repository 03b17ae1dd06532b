//! What holds for any key: nothing private leaks, whatever it is and however broken.

use jwk_operator::jwk::{Jwk, JwkSet, PublicJwk, PublicJwkSet};
use proptest::prelude::*;
use serde_json::{Map, Value};

/// What every private value in these tests begins with.
const SECRET: &str = "s3cr3t-";
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
const MEMBERS: [&str; 20] = [
    "kty", "kid", "use", "alg", "crv", "x", "y", "n", "e", "x5u", "x5c", "x5t", "x5t#S256", "key_ops", "ext", "priv", "keys", "nbf", "D",
    "own",
];

/// A value of any shape in which every string is a secret.
fn secret() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![4 => "[a-zA-Z0-9]{8}".prop_map(|text| Value::String(format!("{SECRET}{text}"))), 1 => any::<i32>().prop_map(Value::from), 1 => Just(Value::Null)];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map("[a-z]{1,4}", inner, 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A value that may be public, of any shape, with secrets below the surface where no RFC allows a nested value.
fn public() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => "[a-zA-Z0-9_-]{0,12}".prop_map(Value::String),
        2 => prop::collection::vec("[a-zA-Z0-9+/]{0,8}", 0..3).prop_map(Value::from),
        1 => Just(Value::from(vec!["verify", "sign", "deriveKey"])),
        2 => secret().prop_map(|value| Value::Object(Map::from_iter([("nested".to_owned(), value)]))),
        1 => secret().prop_map(|value| Value::Array(vec![Value::Array(vec![value])])),
    ]
}

fn kty() -> impl Strategy<Value = Value> {
    prop_oneof![Just("EC"), Just("RSA"), Just("OKP"), Just("oct"), Just("AKP"), Just("ec"), Just("")].prop_map(Value::from)
}

/// Any object with a `kty`: known members with any value, private ones and `priv` with secrets.
fn members() -> impl Strategy<Value = Map<String, Value>> {
    let known = prop::collection::btree_map(prop::sample::select(&MEMBERS[1..]), public(), 0..12);
    let private = prop::collection::btree_map(prop::sample::select(&PRIVATE[..]), secret(), 0..8);
    let unknown = prop::collection::btree_map("[a-z]{9}", secret(), 0..3);
    (kty(), known, private, unknown, prop::option::of(secret())).prop_map(|(kty, known, private, unknown, private_of_akp)| {
        let mut members = Map::new();
        members.extend(known.into_iter().chain(private).map(|(name, value)| (name.to_owned(), value)));
        members.extend(unknown);
        // The private member of a type that is newer than this program.
        members.extend(private_of_akp.map(|value| ("priv".to_owned(), value)));
        members.insert("kty".to_owned(), kty);
        members
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_public_half_holds_nothing_private(members in members()) {
        let kty = members["kty"].clone();
        let half = Jwk::from_members(members).public_half();
        prop_assert_eq!(half.is_some(), ["EC", "RSA", "OKP"].iter().any(|known| kty == *known));
        if let Some(half) = half {
            let text = serde_json::to_string(&half).expect("JSON");
            prop_assert!(!text.contains(SECRET), "{}", text);
            let names: Vec<_> = half.as_jwk().members().keys().collect();
            prop_assert!(names.iter().all(|name| !PRIVATE.contains(&name.as_str()) && *name != "priv"), "{:?}", names);
            let operations = half.as_jwk().members().get("key_ops").map(Value::to_string).unwrap_or_default();
            prop_assert!(!operations.contains("sign") && !operations.contains("deriveKey"), "{}", operations);
            prop_assert!(!half.as_jwk().is_private());
            // What it is read from again is the same.
            prop_assert_eq!(half.as_jwk().public_half(), Some(half.clone()));
        }
    }

    #[test]
    fn debug_shows_nothing_private(members in members()) {
        let key = Jwk::from_members(members);
        let text = format!("{key:?} {key:#?} {:?} {:?}", JwkSet { keys: vec![key.clone()] }, key.public_half());
        prop_assert!(!text.contains(SECRET), "{}", text);
    }

    #[test]
    fn validation_and_thumbprints_never_panic_and_their_errors_show_nothing(members in members()) {
        let key = Jwk::from_members(members);
        let text = format!("{:?} {:?}", key.validate(), key.validate().err().map(|error| error.to_string()));
        prop_assert!(!text.contains(SECRET), "{}", text);
        if let Err(error) = key.thumbprint() {
            prop_assert!(!error.to_string().contains(SECRET));
        }
    }

    #[test]
    fn parsing_never_panics_and_its_errors_show_nothing(
        members in members(),
        as_set in any::<bool>(),
        mutations in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 0..6),
    ) {
        let key = Value::Object(members);
        let value = if as_set { serde_json::json!({ "keys": [key] }) } else { key };
        let mut bytes = value.to_string().into_bytes();
        for (place, byte, kind) in mutations {
            let place = place.index(bytes.len().max(1));
            match kind {
                0 if place < bytes.len() => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                2 if place < bytes.len() => drop(bytes.remove(place)),
                _ => bytes.truncate(place),
            }
        }
        for error in [Jwk::parse(&bytes).err(), JwkSet::parse(&bytes).err()].into_iter().flatten() {
            let text = format!("{error} {error:?}");
            prop_assert!(!text.contains("s3cr"), "{}", text);
        }
    }

    #[test]
    fn serde_errors_show_nothing(value in secret(), in_a_set in any::<bool>()) {
        let value = if in_a_set { serde_json::json!({ "keys": value }) } else { value };
        let text = value.to_string();
        let errors = [
            serde_json::from_value::<Jwk>(value.clone()).err(),
            serde_json::from_value::<PublicJwk>(value.clone()).err(),
            serde_json::from_value::<JwkSet>(value.clone()).err(),
            serde_json::from_value::<PublicJwkSet>(value).err(),
            serde_json::from_str::<JwkSet>(&text).err(),
            serde_json::from_str::<Vec<Jwk>>(&format!("[{text}]")).err(),
        ];
        for error in errors.into_iter().flatten() {
            prop_assert!(!error.to_string().contains(SECRET), "{}", error);
        }
    }

    #[test]
    fn what_was_parsed_comes_out_unchanged(members in members()) {
        let value = Value::Object(members);
        let key = Jwk::parse(value.to_string().as_bytes()).expect("a key");
        prop_assert_eq!(serde_json::to_value(&key).expect("JSON"), value);
    }
}
