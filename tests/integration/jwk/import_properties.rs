//! Readers of keys under random and mutated bytes: no panic, and no private value in an error.

use jwk_operator::jwk::{
    Jwk, JwkSet,
    import::{Wanted, read},
};
use proptest::{prelude::*, test_runner::RngSeed};
use serde_json::json;

use super::import::file;

#[path = "../../../fuzz/invariant.rs"]
mod invariant;

/// Good documents of every kind.
fn documents() -> Vec<Vec<u8>> {
    let mut documents: Vec<Vec<u8>> = [
        "ec-prime256v1.sec1.pem",
        "ec-secp521r1.pkcs8.pem",
        "ed25519.pkcs8.pem",
        "rsa.pkcs1.pem",
        "rsa.pkcs8.pem",
        "rsa.public.pem",
        "key-and-chain.pem",
        "chain.pem",
        "encrypted.pkcs8.pem",
    ]
    .map(file)
    .to_vec();
    let keys: Vec<Jwk> = ["ec-prime256v1.sec1.pem", "ed25519.pkcs8.pem", "rsa.pkcs8.pem"]
        .iter()
        .map(|name| {
            read(&file(name), None, Wanted { alg: name.starts_with("rsa").then_some("RS256"), ..Wanted::default() }).expect("a key")
        })
        .collect();
    documents.extend(keys.iter().map(|key| serde_json::to_vec(key).expect("JSON")));
    documents.push(serde_json::to_vec(&json!({ "keys": keys })).expect("JSON"));
    documents
}

/// One change of a document.
#[derive(Clone, Debug)]
enum Mutation {
    Flip(usize, u8),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    Truncate(usize),
    Repeat(usize, usize),
    Splice(usize, usize),
}

fn mutations() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<usize>(), 1..=255u8).prop_map(|(at, bits)| Mutation::Flip(at, bits)),
        (any::<usize>(), proptest::collection::vec(any::<u8>(), 1..8)).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (any::<usize>(), 1..40usize).prop_map(|(at, count)| Mutation::Remove(at, count)),
        any::<usize>().prop_map(Mutation::Truncate),
        (any::<usize>(), 1..200usize).prop_map(|(at, count)| Mutation::Repeat(at, count)),
        (any::<usize>(), any::<usize>()).prop_map(|(at, other)| Mutation::Splice(at, other)),
    ]
}

fn mutate(document: &mut Vec<u8>, mutation: &Mutation, documents: &[Vec<u8>]) {
    let length = document.len().max(1);
    match mutation {
        Mutation::Flip(at, bits) if !document.is_empty() => document[at % length] ^= bits,
        Mutation::Flip(..) => {}
        Mutation::Insert(at, bytes) => {
            let at = at % (document.len() + 1);
            document.splice(at..at, bytes.iter().copied());
        }
        Mutation::Remove(at, count) => {
            let start = at % length;
            document.drain(start.min(document.len())..(start + count).min(document.len()));
        }
        Mutation::Truncate(at) => document.truncate(at % length),
        Mutation::Repeat(at, count) => {
            let start = (at % length).min(document.len());
            let part = document[start..(start + count).min(document.len())].to_vec();
            document.splice(start..start, part);
        }
        Mutation::Splice(at, other) => {
            let other = &documents[other % documents.len()];
            let start = (at % length).min(document.len());
            document.truncate(start);
            document.extend_from_slice(&other[start.min(other.len())..]);
        }
    }
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(20_261_124), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(4000))]

    #[test]
    fn random_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), json in any::<bool>(), kid in proptest::option::of("[a-z]{1,4}")) {
        let bytes = if json { [b"{\"kty\":\"", &bytes[..], b"\"}"].concat() } else { bytes };
        invariant::import(&bytes, kid.as_deref());
        invariant::json(&bytes);
    }

    #[test]
    fn mutated_documents_tell_no_private_value(
        index in any::<prop::sample::Index>(),
        mutations in proptest::collection::vec(mutations(), 1..5),
        alg in proptest::option::of(prop::sample::select(vec!["RS256", "ES256", "EdDSA", "HS256"])),
    ) {
        let documents = documents_once();
        let mut document = index.get(documents).clone();
        for mutation in &mutations {
            mutate(&mut document, mutation, documents);
        }
        invariant::import(&document, None);
        invariant::json(&document);
        let read = read(&document, Some(&document), Wanted { alg, ..Wanted::default() });
        invariant::tells_nothing(&document, &format!("{read:?}"));
        let _ = (Jwk::parse(&document), JwkSet::parse(&document));
    }
}

/// Made once: an RSA key takes its time to check.
fn documents_once() -> &'static [Vec<u8>] {
    static DOCUMENTS: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
    DOCUMENTS.get_or_init(documents)
}

#[test]
fn the_check_finds_what_it_looks_for() {
    let document = file("ed25519.pkcs8.pem");
    let body = String::from_utf8(document.clone()).expect("text").lines().nth(1).expect("a line").to_owned();
    assert!(std::panic::catch_unwind(|| invariant::tells_nothing(&document, &format!("bad key: {body}"))).is_err());
    let key = serde_json::to_vec(&read(&document, None, Wanted::default()).expect("a key")).expect("JSON");
    let d = Jwk::parse(&key).expect("a key").text("d").expect("d").to_owned();
    assert!(std::panic::catch_unwind(|| invariant::tells_nothing(&key, &format!("bad key: {}", &d[..20]))).is_err());
}
