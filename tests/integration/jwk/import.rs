//! Keys out of what people keep in Secrets.

use std::path::Path;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD},
};
use jwk_operator::jwk::{
    InvalidJwk, Jwk, ParseError,
    import::{ImportError, ImportNote, Wanted, import, read},
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
        let Err(ImportError::Chain(why)) = found else { panic!("{wrong}: {found:?}") };
        assert!(
            matches!(*why, ImportError::CertificateMismatch | ImportError::NoCertificate { label: "a public key" }),
            "{wrong}: {why:?}"
        );
    }
    // The same certificates again are no longer chain.
    let twice = plain(&file("chain.pem").repeat(2)).expect("a key");
    assert_eq!(twice.members()["x5c"].as_array().map(Vec::len), Some(2));
    let chain = |length| made_chain(length).iter().map(|(pem, _)| pem.as_str()).collect::<String>();
    assert_eq!(plain(chain(10).as_bytes()).expect("a key").members()["x5c"].as_array().map(Vec::len), Some(10));
    assert_eq!(plain(chain(12).as_bytes()), Err(ImportError::LongChain { limit: 10 }));
    let many = chain(2).repeat(33);
    assert_eq!(plain(many.as_bytes()), Err(ImportError::ManyCertificates { count: 66, limit: 64 }));
}

/// A chain of certificates, that of the key first, each certified by the next one, with their keys as PEM.
fn made_chain(length: usize) -> Vec<(String, String)> {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let mut chain = Vec::new();
    let mut issuer: Option<Issuer<'static, KeyPair>> = None;
    for depth in (0..length).rev() {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(rcgen::DnType::CommonName, format!("certificate {depth}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = match &issuer {
            Some(issuer) => params.signed_by(&key, issuer),
            None => params.self_signed(&key),
        };
        chain.push((certificate.expect("a certificate").pem(), key.serialize_pem()));
        issuer = Some(Issuer::new(params, key));
    }
    chain.reverse();
    chain
}

/// Certificates in any order, and with strangers between them, become the chain of the key; what is no part of it is counted.
#[test]
fn a_chain_is_put_in_order_and_strangers_are_left_out() {
    let (chain, strangers) = (made_chain(4), made_chain(2));
    let key = chain[0].1.as_bytes();
    let x5c = |order: &[&str]| {
        let imported = import(key, Some(order.concat().as_bytes()), Wanted::default()).expect("a key");
        let chain: Vec<String> = serde_json::from_value(imported.key.members()["x5c"].clone()).expect("texts");
        (chain, imported.notes)
    };
    let [leaf, first, second, root] = [0, 1, 2, 3].map(|index: usize| chain[index].0.as_str());
    let (in_order, notes) = x5c(&[leaf, first, second, root]);
    assert_eq!((in_order.len(), notes), (4, vec![]));
    for order in [[root, second, first, leaf], [leaf, root, first, second], [second, leaf, root, first]] {
        assert_eq!(x5c(&order), (in_order.clone(), vec![]));
    }
    // Certificates alone: the first one, unless it certifies another.
    let alone = |order: &[&str]| plain(order.concat().as_bytes());
    assert_eq!(alone(&[root, leaf, second, first]).expect("a key").members()["x5c"], json!(in_order));
    assert_eq!(alone(&[leaf, &strangers[1].0]).expect("a key").members()["x5c"], json!([in_order[0]]));
    assert!(matches!(alone(&[root, &strangers[0].0, leaf, second, first]), Err(ImportError::SeveralKeys { count: 2, .. })));
    let (without_root, _) = x5c(&[first, leaf, second]);
    assert_eq!(without_root, in_order[..3]);
    let (only, notes) = x5c(&[&strangers[0].0, leaf, root, &strangers[1].0]);
    assert_eq!((only.as_slice(), notes), (&in_order[..1], vec![ImportNote::CertificatesLeftOut { count: 3 }]));
    // One of the same name that did not sign it is a stranger, too.
    let impostors = made_chain(4);
    let (only, notes) = x5c(&[leaf, &impostors[1].0, first]);
    assert_eq!((only.as_slice(), notes), (&in_order[..2], vec![ImportNote::CertificatesLeftOut { count: 1 }]));
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
        (vec![0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2], "it is a Java keystore: convert it with keytool"),
        (vec![0xff, 0x80, 0, 1, 2, 3], "it is binary: write it as PEM"),
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
            "its OPENSSH PRIVATE KEY section is damaged",
        ),
        (file("request.pem"), "its PEM holds no key, only a certificate request"),
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
    assert_eq!(plain(b"[]"), Err(ImportError::BareArray));
    assert!(matches!(plain(b"{\"keys\": [7]}"), Err(ImportError::Json(ParseError::Key { index: 0, .. }))));
}

/// What editors, shells and other programs make of a document.
#[test]
fn the_same_key_is_read_whatever_became_of_its_text() {
    let key = plain(&file("ec-prime256v1.pkcs8.pem")).expect("a key");
    let pem = String::from_utf8(file("ec-prime256v1.pkcs8.pem")).expect("text");
    let json = serde_json::to_string(&key).expect("JSON");
    let alone = pem.trim().replace('\n', "");
    for text in [
        format!("\u{feff}{pem}"),
        pem.trim().replace('\n', "\\n"),
        pem.trim().replace('\n', "\\r\\n"),
        pem.replace('\n', "\r"),
        pem.replace('\n', "\n    "),
        pem.trim().replace('\n', " "),
        alone.clone(),
        format!("\"{alone}\""),
        format!("Bag Attributes\n    localKeyID: 01\n{pem}-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"),
        format!("\u{feff}\n{json}\n"),
    ] {
        assert_eq!(plain(text.as_bytes()).as_ref(), Ok(&key), "{text}");
    }
    let base64 = |bytes: &[u8]| STANDARD.encode(bytes).into_bytes();
    let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    for (document, sentence) in [
        (base64(pem.as_bytes()), "it is PEM in base64, so that it was encoded twice"),
        (base64(json.as_bytes()), "it is JSON in base64, so that it was encoded twice"),
        (base64(&file("key.der")), "put -----BEGIN EC PRIVATE KEY----- before it"),
        (utf_16(&pem), "text in UTF-16"),
        ([b"\xff\xfe".to_vec(), utf_16(&json)].concat(), "text in UTF-16"),
        (format!("// mine\n{json}").into_bytes(), "a comment at line 1"),
        (json.replacen(',', ",\n/* mine */", 1).into_bytes(), "a comment at line 2"),
        (json.replacen(',', ",\n# mine\n", 1).into_bytes(), "a comment at line 2"),
        (format!("[{json}]").into_bytes(), "as its member keys"),
        (b"PuTTY-User-Key-File-3: ssh-ed25519\n".to_vec(), "puttygen"),
        (b"ssh-rsa AAAA mine".to_vec(), "ssh-keygen -e -m PKCS8"),
        (b"ssh-ed25519 AAAA one\nssh-ed25519 AAAA two\n".to_vec(), "it holds 2 keys"),
        (String::from_utf8(file("encrypted.sec1.pem")).expect("text").replace('\n', " ").into_bytes(), "the key is encrypted"),
    ] {
        let error = plain(&document).expect_err(sentence).to_string();
        assert!(error.contains(sentence), "{sentence}: {error}");
    }
}

/// `use`, `alg` and `key_ops` follow from each other, and must not contradict each other.
#[test]
fn what_a_key_is_for_is_derived_and_checked() {
    let rsa = with_alg(&file("rsa.pkcs8.pem"), "RS256").expect("a key");
    let ec = plain(&file("ec-prime256v1.pkcs8.pem")).expect("a key");
    let of = |key: &Jwk, members: serde_json::Value| {
        let mut key = without(key, &["alg", "use"]);
        for (name, value) in members.as_object().expect("members") {
            key = key.with(name, value.clone());
        }
        serde_json::to_vec(&key).expect("JSON")
    };
    let wanted = |alg, key_use| Wanted { alg, key_use, kid: None };
    let none = wanted(None, None);
    for (document, wanted, alg, key_use) in [
        (of(&rsa, json!({ "alg": "RSA-OAEP-256" })), none, "RSA-OAEP-256", "enc"),
        (of(&rsa, json!({})), wanted(Some("RSA-OAEP"), None), "RSA-OAEP", "enc"),
        (of(&rsa, json!({ "alg": "PS256", "key_ops": ["sign", "verify"] })), none, "PS256", "sig"),
        (of(&ec, json!({ "key_ops": ["deriveBits"] })), wanted(Some("ECDH-ES"), None), "ECDH-ES", "enc"),
        (of(&ec, json!({ "key_ops": [], "use": "" })), none, "ES256", "sig"),
        (of(&ec, json!({ "key_ops": ["sign", "deriveBits"], "use": "sig" })), none, "ES256", "sig"),
        (of(&ec, json!({ "use": "tls" })), wanted(None, Some("sig")), "ES256", "sig"),
        (of(&ec, json!({ "alg": "EC" })), wanted(Some("ES256"), None), "ES256", "sig"),
    ] {
        let key = read(&document, None, wanted).expect(alg);
        assert_eq!((key.alg(), key.key_use()), (Some(alg), Some(key_use)));
    }
    for (document, wanted, words) in [
        (of(&rsa, json!({ "alg": "RSA-OAEP", "use": "sig" })), none, ["alg RSA-OAEP is for use enc", "use is sig"]),
        (of(&rsa, json!({ "alg": "RS256", "use": "enc" })), none, ["alg RS256 is for use sig", "use is enc"]),
        (of(&rsa, json!({ "alg": "RS256", "key_ops": ["unwrapKey"] })), none, ["key_ops are for use enc", "use is sig"]),
        (of(&ec, json!({ "key_ops": ["sign", "deriveBits"] })), none, ["key_ops", "at once"]),
        (of(&ec, json!({ "key_ops": "sign" })), none, ["key_ops", "list of strings"]),
        (of(&ec, json!({ "key_ops": ["verify"] })), none, ["key_ops", "public key"]),
        (of(&ec, json!({ "key_ops": ["deriveKey"] })), none, ["import.alg", "ECDH-ES"]),
        (of(&ec, json!({ "use": "tls" })), none, ["use", "sig or enc"]),
        (of(&ec, json!({ "use": "enc" })), wanted(None, Some("sig")), ["use", "import.use"]),
        (of(&ec, json!({ "alg": "EC" })), none, ["not a registered algorithm", "ES256"]),
        (of(&ec, json!({ "alg": 7 })), none, ["member alg", "not a string"]),
        (of(&ec, json!({ "use": ["sig"] })), none, ["member use", "not a string"]),
        (of(&ec, json!({ "kid": 7 })), none, ["member kid", "not a string"]),
    ] {
        let error = read(&document, None, wanted).expect_err(words[0]).to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{words:?}: {error}");
    }
}

/// What stands beside the wanted key of a JWK Set is nobody's business (RFC 7517 section 5).
#[test]
fn one_key_is_read_out_of_a_set_whatever_stands_beside_it() {
    let key = plain(&file("ec-prime256v1.pkcs8.pem")).expect("a key").with("kid", "one");
    let half = key.public_half().expect("a public half");
    let unknown = json!({ "kty": "AKP", "kid": "pq", "alg": "ML-DSA-44", "pub": "AAAA" });
    let set = |keys: serde_json::Value| serde_json::to_vec(&json!({ "keys": keys })).expect("JSON");
    let named = |document: &[u8], kid| read(document, None, Wanted { kid: Some(kid), ..Wanted::default() });
    for document in [set(json!([unknown, 7, { "kid": "bare" }, key])), set(json!([half, key])), set(json!([key, half]))] {
        assert_eq!(plain(&document).as_ref(), Ok(&key));
        assert_eq!(named(&document, "one").as_ref(), Ok(&key));
    }
    // Keys of different kinds may share a kid (section 4.5).
    let twin = json!({ "kty": "AKP", "kid": "one", "alg": "ML-DSA-44", "pub": "AAAA" });
    assert_eq!(named(&set(json!([twin, key])), "one").as_ref(), Ok(&key));
    let error = named(&set(json!([unknown, key])), "pq").expect_err("unknown").to_string();
    assert!(error.contains("kty"), "{error}");
    let renamed = named(&set(json!([key])), "two").expect_err("chosen");
    assert_eq!(renamed, ImportError::KidNotFound { kid: "two".into(), kids: "one".into() });
    let nameless = set(json!([without(&key, &["kid"])]));
    assert_eq!(named(&nameless, "two").expect("a key").kid(), Some("two"));
    let other = plain(&file("ed25519.pkcs8.pem")).expect("a key");
    assert!(matches!(plain(&set(json!([other, half]))), Err(ImportError::SeveralKeys { count: 2, .. })));
}

#[test]
fn certificates_and_digests_of_a_jwk_have_one_form() {
    let key = plain(&file("key-and-chain.pem")).expect("a key");
    let [leaf, issuer] = [0, 1].map(|index| key.members()["x5c"][index].as_str().expect("text").to_owned());
    let der = STANDARD.decode(&leaf).expect("base64");
    let digest = |algorithm| aws_lc_rs::digest::digest(algorithm, &der).as_ref().to_vec();
    let (sha1, sha256) = (digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY), digest(&aws_lc_rs::digest::SHA256));
    let hexadecimal: String = sha1.iter().map(|byte| format!("{byte:02x}")).collect();
    let with = |members: serde_json::Value| {
        let mut key = key.clone();
        for (name, value) in members.as_object().expect("members") {
            key = key.with(name, value.clone());
        }
        plain(&serde_json::to_vec(&key).expect("JSON"))
    };
    let whole = key.clone().with("x5t", URL_SAFE_NO_PAD.encode(&sha1)).with("x5t#S256", URL_SAFE_NO_PAD.encode(&sha256));
    let wrapped: String = leaf.as_bytes().chunks(64).map(|line| format!("{}\r\n ", std::str::from_utf8(line).expect("text"))).collect();
    for members in [
        json!({ "x5t": URL_SAFE_NO_PAD.encode(&sha1), "x5t#S256": URL_SAFE_NO_PAD.encode(&sha256), "x5c": [issuer, leaf] }),
        json!({ "x5t": URL_SAFE_NO_PAD.encode(&hexadecimal), "x5t#S256": URL_SAFE.encode(&sha256), "x5c": [wrapped, issuer] }),
    ] {
        assert_eq!(with(members).as_ref(), Ok(&whole));
    }
    let nothing = with(json!({ "x5c": [], "x5t": "", "x5t#S256": null, "x5u": "" })).expect("a key");
    assert!(["x5c", "x5t", "x5t#S256", "x5u"].iter().all(|name| nothing.members().get(*name).is_none()));
    let address = with(json!({ "x5u": "https://example.com/chain.pem" })).expect("a key");
    assert_eq!(address.text("x5u"), Some("https://example.com/chain.pem"));
    let other = URL_SAFE_NO_PAD.encode([7; 20]);
    for (members, words) in [
        (json!({ "x5c": [issuer] }), "belong to another key"),
        (json!({ "x5c": leaf }), "x5c is not a list"),
        (json!({ "x5c": [leaf, 7] }), "value 1 of its x5c is not a string"),
        (json!({ "x5c": ["!"] }), "value 0 of its x5c is not base64"),
        (json!({ "x5c": [STANDARD.encode(b"no certificate")] }), "value 0 of its x5c is not a certificate"),
        (json!({ "x5c": [format!("-----BEGIN CERTIFICATE-----\n{leaf}\n-----END CERTIFICATE-----")] }), "value 0 of its x5c is PEM"),
        (json!({ "x5t": other }), "its x5t is not the digest of the first certificate"),
        (json!({ "x5t": "mine" }), "its x5t is not the base64url of a digest of 20 bytes"),
        (json!({ "x5t#S256": other }), "its x5t#S256 is not the base64url of a digest of 32 bytes"),
        (json!({ "x5u": "http://example.com/chain.pem" }), "its x5u is not an https address"),
        (json!({ "x5u": "https://example.com/a|b" }), "its x5u is not an https address"),
    ] {
        let error = with(members).expect_err(words).to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
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
