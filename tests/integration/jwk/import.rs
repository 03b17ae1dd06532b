//! Keys out of what people keep in Secrets.

use std::path::Path;

use jwk_operator::jwk::{
    InvalidJwk, Jwk, ParseError,
    import::{ImportError, Wanted, read},
};
use serde_json::json;

use super::without;
use crate::signing::part;

pub fn file(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/import").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn plain(document: &[u8]) -> Result<Jwk, ImportError> {
    read(document, None, Wanted::default())
}

fn with_alg(document: &[u8], alg: &str) -> Result<Jwk, ImportError> {
    read(document, None, Wanted { alg: Some(alg), ..Wanted::default() })
}

/// The thumbprint as another implementation has it.
fn their_thumbprint(key: &Jwk) -> String {
    let theirs: jwk_simple::Key = serde_json::from_value(serde_json::to_value(key).expect("JSON")).expect("a key");
    theirs.thumbprint()
}

#[test]
fn every_form_of_a_key_is_the_same_key() {
    for (forms, alg) in [
        (&["ec-prime256v1.sec1.pem", "ec-prime256v1.pkcs8.pem", "ec-prime256v1.public.pem", "chain.pem", "key-and-chain.pem"][..], "ES256"),
        (&["ec-secp384r1.sec1.pem", "ec-secp384r1.pkcs8.pem", "ec-secp384r1.public.pem"][..], "ES384"),
        (&["ec-secp521r1.sec1.pem", "ec-secp521r1.pkcs8.pem", "ec-secp521r1.public.pem"][..], "ES512"),
        (&["ed25519.pkcs8.pem", "ed25519.public.pem"][..], "EdDSA"),
        (&["rsa.pkcs1.pem", "rsa.pkcs8.pem", "rsa.public.pem", "rsa.pkcs1-public.pem"][..], "PS256"),
    ] {
        let keys: Vec<Jwk> =
            forms.iter().map(|form| with_alg(&file(form), alg).unwrap_or_else(|error| panic!("{form}: {error}"))).collect();
        for (key, form) in keys.iter().zip(forms) {
            assert_eq!(key.thumbprint(), keys[0].thumbprint(), "{form}");
            assert_eq!((key.alg(), key.key_use(), key.kid()), (Some(alg), Some("sig"), None), "{form}");
            assert_eq!(key.is_private(), !form.contains("public") && *form != "chain.pem", "{form}");
            assert_eq!(their_thumbprint(key), key.thumbprint().expect("a thumbprint").to_string(), "{form}");
            // Through JSON and back, alone and in a set.
            let document = serde_json::to_vec(key).expect("JSON");
            assert_eq!(plain(&document).as_ref(), Ok(key), "{form}");
            let set = serde_json::to_vec(&json!({ "keys": [key] })).expect("JSON");
            assert_eq!(plain(&set).as_ref(), Ok(key), "{form}");
            // As an editor of another system leaves it, with words around it.
            let text = String::from_utf8(file(form)).expect("text").replace('\n', "\r\n");
            assert_eq!(with_alg(format!("a note\r\n\r\n{text}\r\n").as_bytes(), alg).as_ref(), Ok(key), "{form}");
        }
    }
}

#[test]
fn a_chain_becomes_x5c_and_must_be_that_of_the_key() {
    let key = read(&file("ec-prime256v1.pkcs8.pem"), Some(&file("chain.pem")), Wanted::default()).expect("a key");
    assert_eq!(key.members()["x5c"].as_array().map(Vec::len), Some(2));
    assert_eq!(key, plain(&file("key-and-chain.pem")).expect("a key"));
    let public = key.public_half().expect("a public half");
    assert_eq!(public.as_jwk().members()["x5c"], key.members()["x5c"]);
    assert_eq!(plain(&file("chain.pem")).expect("a key"), *public.as_jwk());
    for wrong in ["other.pem", "ec-secp384r1.public.pem"] {
        let found = read(&file("ec-prime256v1.pkcs8.pem"), Some(&file(wrong)), Wanted::default());
        assert!(matches!(found, Err(ImportError::CertificateMismatch | ImportError::NoKey)), "{wrong}: {found:?}");
    }
    let long = file("chain.pem").repeat(6);
    assert_eq!(plain(&long), Err(ImportError::LongChain { count: 12, limit: 10 }));
}

#[test]
fn a_kid_names_one_key_and_chooses_among_several() {
    let (one, other) = (
        plain(&file("ec-prime256v1.sec1.pem")).expect("a key").with("kid", "one"),
        plain(&file("ed25519.pkcs8.pem")).expect("a key").with("kid", "other"),
    );
    let set = serde_json::to_vec(&json!({ "keys": [one, other] })).expect("JSON");
    let named = |document: &[u8], kid| read(document, None, Wanted { kid: Some(kid), ..Wanted::default() });
    assert_eq!(named(&set, "other").as_ref(), Ok(&other));
    assert_eq!(plain(&set), Err(ImportError::SeveralKeys { count: 2, kids: "one, other".into() }));
    assert_eq!(named(&set, "third"), Err(ImportError::KidNotFound { kid: "third".into(), kids: "one, other".into() }));
    let twins = serde_json::to_vec(&json!({ "keys": [one, one] })).expect("JSON");
    assert_eq!(named(&twins, "one"), Err(ImportError::KidNotUnique { kid: "one".into() }));
    let single = serde_json::to_vec(&one).expect("JSON");
    assert_eq!(named(&single, "mine").expect("a key").kid(), Some("mine"));
    assert_eq!(plain(&single).expect("a key").kid(), Some("one"));
    let two = [file("ec-prime256v1.sec1.pem"), file("ed25519.pkcs8.pem")].concat();
    assert_eq!(plain(&two), Err(ImportError::SeveralPrivateKeys { count: 2 }));
}

#[test]
fn what_hydra_would_drop_is_left_out() {
    let key = plain(&file("ec-prime256v1.sec1.pem")).expect("a key");
    let noisy = key.clone().with("key_ops", json!(["sign"])).with("ext", true).with("exp", 1).with("kid", "");
    assert_eq!(plain(&serde_json::to_vec(&noisy).expect("JSON")), Ok(key));
}

#[test]
fn the_algorithm_is_told_by_the_curve_or_asked_for() {
    let rsa = file("rsa.pkcs8.pem");
    assert_eq!(plain(&rsa), Err(ImportError::MissingAlgorithm { fits: "for example RS256 or PS256" }));
    assert_eq!(with_alg(&rsa, "RS256").expect("a key").alg(), Some("RS256"));
    assert_eq!(
        with_alg(&rsa, "ES256"),
        Err(ImportError::Invalid(InvalidJwk::AlgorithmMismatch { needs: "ES256 needs an EC key on P-256" }))
    );
    let ec = file("ec-prime256v1.sec1.pem");
    let sealing = Wanted { key_use: Some("enc"), ..Wanted::default() };
    assert_eq!(read(&ec, None, sealing), Err(ImportError::MissingAlgorithm { fits: "for example ECDH-ES+A256KW" }));
    let key = read(&ec, None, Wanted { alg: Some("ECDH-ES"), ..sealing }).expect("a key");
    assert_eq!((key.alg(), key.key_use()), (Some("ECDH-ES"), Some("enc")));
    let own = serde_json::to_vec(&with_alg(&rsa, "PS512").expect("a key")).expect("JSON");
    assert_eq!(plain(&own).expect("a key").alg(), Some("PS512"));
    assert_eq!(with_alg(&own, "RS256"), Err(ImportError::AlgorithmContradicted));
    let secret = serde_json::to_vec(
        &json!({ "kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow" }),
    )
    .expect("JSON");
    assert_eq!(plain(&secret), Err(ImportError::MissingAlgorithm { fits: "HS256, HS384 or HS512" }));
    assert!(with_alg(&secret, "HS512").expect("a key").is_private());
}

#[test]
fn what_cannot_be_imported_is_told_with_what_to_do() {
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b" \n".to_vec(), "it is empty"),
        (file("key.der"), "it is binary: write it as PEM"),
        (vec![0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2], "it is binary: write it as PEM"),
        (b"not a key".to_vec(), "neither a JWK, a JWK Set nor PEM"),
        (b"{".to_vec(), "not valid JSON at line 1"),
        (b"{\"keys\": []}".to_vec(), "it holds no key"),
        (b"{\"some\": \"thing\"}".to_vec(), "a JWK Set must be a JSON object with the member keys"),
        (vec![b'{'; 300_000], "over 262144 bytes"),
        (b"-----BEGIN PRIVATE KEY-----\n????\n-----END PRIVATE KEY-----\n".to_vec(), "its PEM cannot be read"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_vec(), "its PRIVATE KEY section is damaged"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec(), "its CERTIFICATE section is damaged"),
        (
            b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n".to_vec(),
            "holds an OpenSSH key, which is not supported",
        ),
        (file("request.pem"), "holds a certificate request, which is not supported"),
        (file("encrypted.pkcs8.pem"), "the key is encrypted: store it without a passphrase"),
        (file("encrypted.sec1.pem"), "the key is encrypted: store it without a passphrase"),
        (file("ec-secp256k1.pkcs8.pem"), "unsupported curve: use P-256, P-384, P-521 or Ed25519"),
        (file("x25519.pkcs8.pem"), "unsupported curve"),
        (file("ed448.pkcs8.pem"), "unsupported curve"),
    ];
    for (document, sentence) in cases {
        let error = plain(&document).expect_err(sentence).to_string();
        assert!(error.contains(sentence), "{sentence}: {error}");
    }
    assert_eq!(with_alg(&file("rsa-1024.pem"), "RS256"), Err(ImportError::Invalid(InvalidJwk::ModulusSize(1024))));
    let rsa = with_alg(&file("rsa.pkcs8.pem"), "RS256").expect("a key");
    let bare = without(&rsa, &["p", "q", "dp", "dq", "qi"]);
    assert_eq!(with_alg(&serde_json::to_vec(&bare).expect("JSON"), "RS256"), Err(ImportError::Invalid(InvalidJwk::MissingPrime("p"))));
    assert_eq!(plain(b"[]"), Err(ImportError::UnknownForm));
    assert!(matches!(plain(b"{\"keys\": [7]}"), Err(ImportError::Json(ParseError::Key { index: 0, .. }))));
}

#[test]
fn a_private_value_that_lost_its_leading_zero_is_the_same() {
    use der::Encode as _;
    // Found by trying: a private value that begins with a zero byte, which some writers drop.
    let d = [&[0][..], &[7; 31]].concat();
    let written = |value: &[u8]| {
        let curve = sec1::EcParameters::NamedCurve(der::oid::db::rfc5912::SECP_256_R_1);
        let key = sec1::EcPrivateKey { private_key: value, parameters: Some(curve), public_key: None };
        pem::encode(&pem::Pem::new("EC PRIVATE KEY", key.to_der().expect("DER")))
    };
    let (whole, short) = (plain(written(&d).as_bytes()).expect("a key"), plain(written(&d[1..]).as_bytes()).expect("a key"));
    assert_eq!(whole, short);
    assert_eq!(part(&whole, "d"), d);
}
