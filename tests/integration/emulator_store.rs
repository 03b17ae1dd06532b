//! The emulator's state without HTTP: what property tests of the lifecycle rely on.

use jwk_operator::{
    hydra::emulator::{DerivedKeys, Refusal, Store},
    jwk::{Jwk, JwkSet},
};
use serde_json::{Value, json};

fn store() -> Store {
    Store::new(DerivedKeys::default())
}

fn key(value: Value) -> Jwk {
    serde_json::from_value(value).expect("a key")
}

fn kids(store: &Store, set: &str) -> Vec<String> {
    store.get_set(set).map(|keys| keys.keys.iter().map(|key| key.kid().unwrap_or_default().to_owned()).collect()).unwrap_or_default()
}

/// RFC 7515 appendix A.3, without the private half.
fn public() -> Value {
    json!({ "kty": "EC", "kid": "p", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" })
}

#[test]
fn a_refused_create_changes_nothing() {
    let mut store = store();
    let first = store.create("s", Some("a"), "ES256", "").expect("a key");
    assert_eq!((first.kid(), first.key_use(), first.alg()), (Some("a"), Some("sig"), Some("ES256")));
    assert_eq!(store.create("s", Some("a"), "EdDSA", "sig"), Err(Refusal::Conflict));
    assert_eq!(store.create("s", Some("b"), "HS256", "sig"), Err(Refusal::UnsupportedAlgorithm));
    assert_eq!(store.get_set("s").map(|set| set.keys), Ok(vec![first]));
    assert_eq!(store.create("s", None, "ES256", "enc").map(|key| key.kid().map(str::len)), Ok(Some(36)));
}

#[test]
fn keys_come_newest_first_and_a_put_moves_to_the_front() {
    let mut store = store();
    for kid in ["a", "b", "c"] {
        store.create("s", Some(kid), "ES256", "sig").expect("a key");
    }
    assert_eq!(kids(&store, "s"), ["c", "b", "a"]);
    let a = store.get_key("s", "a").expect("a key");
    assert_eq!(store.put_key("s", &a), Ok(a.clone()));
    assert_eq!(kids(&store, "s"), ["a", "c", "b"]);
    let set = store.get_set("s").expect("a set");
    assert_eq!(store.put_set("s", &set).map(|answer| answer.keys[0].kid().map(str::to_owned)), Ok(Some("a".to_owned())));
    assert_eq!(kids(&store, "s"), ["b", "c", "a"]);
    store.delete_key("s", "c");
    store.delete_key("s", "nothing");
    store.delete_key("nothing", "c");
    assert_eq!(kids(&store, "s"), ["b", "a"]);
}

#[test]
fn a_set_without_keys_is_a_missing_set() {
    let mut store = store();
    store.create("s", Some("a"), "ES256", "sig").expect("a key");
    store.delete_key("s", "a");
    assert_eq!(store.get_set("s"), Err(Refusal::SetNotFound));
    assert_eq!(store.get_key("s", "a"), Err(Refusal::KeyNotFound));
    assert!(store.sets().is_empty());
    store.create("s", Some("a"), "ES256", "sig").expect("a key");
    assert_eq!(store.put_set("s", &JwkSet::default()), Ok(JwkSet::default()));
    store.delete_set("s");
    assert!(store.sets().is_empty());
}

#[test]
fn a_kid_twice_in_a_set_is_a_conflict_and_changes_nothing() {
    let mut store = store();
    let a = store.create("s", Some("a"), "ES256", "sig").expect("a key");
    let twice = JwkSet { keys: vec![key(public()), key(public())] };
    assert_eq!(store.put_set("s", &twice), Err(Refusal::Conflict));
    assert_eq!(store.get_set("s").map(|set| set.keys), Ok(vec![a]));
}

#[test]
fn a_clone_goes_its_own_way() {
    let mut store = store();
    store.create("s", Some("a"), "ES256", "sig").expect("a key");
    let before = store.clone();
    store.delete_set("s");
    assert_eq!(kids(&before, "s"), ["a"]);
}

#[test]
fn generation_can_be_replaced_by_a_closure() {
    let mut store =
        Store::new(|alg: &str| if alg == "X" { Ok(key(json!({ "kty": "oct", "k": "AA" }))) } else { Err(Refusal::UnsupportedAlgorithm) });
    assert_eq!(store.create("s", Some("a"), "X", "").map(|key| key.text("k").map(str::to_owned)), Ok(Some("AA".to_owned())));
    assert!(store.create("s", Some("b"), "ES256", "").is_err());
}

#[test]
fn only_known_members_of_the_type_survive() {
    let mut store = store();
    let mut sent = public();
    for (name, value) in [
        ("n", json!("AQAB")),
        ("key_ops", json!(["verify"])),
        ("ext", json!(true)),
        ("x5u", json!("https://example.test")),
        ("use", json!("")),
        ("k", json!("AA")),
    ] {
        sent[name] = value;
    }
    let mut kept = public();
    kept["x5u"] = json!("https://example.test");
    assert_eq!(store.put_key("s", &key(sent)), Ok(key(kept.clone())));
    assert_eq!(store.get_key("s", "p"), Ok(key(kept)));
    let rsa = json!({ "kty": "RSA", "kid": "r", "n": "ALwB", "e": "AQAB=", "p": "AQ" });
    assert_eq!(store.put_key("s", &key(rsa)), Ok(key(json!({ "kty": "RSA", "kid": "r", "n": "vAE", "e": "AQAB" }))));
}

#[test]
fn keys_are_refused_in_the_words_of_go_jose() {
    let with = |name: &str, value: Value| {
        let mut changed = public();
        changed[name] = value;
        key(changed)
    };
    let x = public()["x"].clone();
    for (key, words) in [
        (with("crv", json!("secp256k1")), "go-jose/go-jose: unsupported elliptic curve 'secp256k1'"),
        (with("y", x), "go-jose/go-jose: invalid EC key, X/Y are not on declared curve"),
        (with("y", json!("AQAB")), "go-jose/go-jose: invalid EC public key, wrong length for y"),
        (with("d", json!("AQAB")), "go-jose/go-jose: invalid EC private key, wrong length for d"),
        (with("y", Value::Null), "go-jose/go-jose: invalid EC key, missing x/y values"),
        (with("x", json!("!")), "illegal base64 data at input byte 0"),
        (with("kid", json!(7)), "json: cannot unmarshal number into Go value of type string"),
        (with("kty", json!("FOO")), "go-jose/go-jose: unknown json web key type 'FOO'"),
        (with("kty", json!("oct")), "go-jose/go-jose: invalid OCT (symmetric) key, missing k value"),
        (with("kty", json!("RSA")), "go-jose/go-jose: invalid RSA key, missing n/e values"),
        (key(json!({ "kty": "RSA", "n": "AQ", "e": "AQAB", "d": "AQ" })), "go-jose/go-jose: invalid RSA private key, missing P value(s)"),
        (key(json!({ "kty": "OKP", "crv": "X25519", "x": "AQ" })), "go-jose/go-jose: unknown curve X25519'"),
    ] {
        let mut store = store();
        assert_eq!(store.put_key("s", &key), Err(Refusal::Malformed(words.to_owned())));
        assert_eq!(store.put_set("s", &JwkSet { keys: vec![key] }), Err(Refusal::Malformed(words.to_owned())));
        assert!(store.sets().is_empty());
    }
}

#[test]
fn inconsistent_rsa_keys_are_refused() {
    let keys: Value = serde_json::from_str(include_str!("../data/rfc/keys.json")).expect("keys");
    let mut store = store();
    assert!(store.put_key("s", &key(keys["rfc7515-a2"].clone())).is_ok());
    let mixed = key(keys["rfc7515-a2"].clone()).with("n", keys["rfc7517-c"]["n"].clone());
    assert!(matches!(store.put_key("s", &mixed), Err(Refusal::Malformed(_))));
}

#[test]
fn debug_shows_no_private_key() {
    let mut store = store();
    let created = store.create("s", Some("a"), "ES256", "sig").expect("a key");
    assert!(!format!("{store:?}").contains(created.text("d").expect("d")));
}
