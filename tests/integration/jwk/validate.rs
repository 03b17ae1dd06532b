//! What makes a key unusable, one reason at a time.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jwk_operator::jwk::{InvalidJwk, Jwk, symmetric};
use serde_json::{Value, json};

use super::{rfc_key, without};

/// The error of a key whose members are changed; `null` takes one away.
fn error(name: &str, changes: Value) -> InvalidJwk {
    let mut key = rfc_key(name);
    for (member, value) in changes.as_object().expect("changes") {
        key = if value.is_null() { without(&key, &[member]) } else { key.with(member, value.clone()) };
    }
    key.validate().expect_err("the key is not valid")
}

fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of a member after `change`.
fn changed(name: &str, member: &str, change: impl Fn(&mut Vec<u8>)) -> String {
    let mut bytes = URL_SAFE_NO_PAD.decode(rfc_key(name).text(member).expect("text")).expect("base64url");
    change(&mut bytes);
    b64(&bytes)
}

const EC: &str = "rfc7515-a3";
const P521: &str = "rfc7515-a4";
const RSA: &str = "rfc7515-a2";
const OKP: &str = "rfc8037-a1";
const OCT: &str = "rfc7515-a1";

#[test]
fn points_off_the_curve_are_refused() {
    let flip = |bytes: &mut Vec<u8>| *bytes.last_mut().expect("a byte") ^= 1;
    for (name, size) in [(EC, 32), (P521, 66)] {
        assert_eq!(error(name, json!({ "d": null, "y": changed(name, "y", flip) })), InvalidJwk::NotOnCurve);
        assert_eq!(error(name, json!({ "y": changed(name, "y", flip) })), InvalidJwk::NotOnCurve);
        assert_eq!(error(name, json!({ "x": b64(&vec![0; size]), "y": b64(&vec![0; size]) })), InvalidJwk::NotOnCurve);
        assert_eq!(error(name, json!({ "x": b64(&vec![255; size]) })), InvalidJwk::NotOnCurve);
    }
}

/// The y for which Ed25519 has a point, as computed with big integers from the equation of RFC 8032 section 5.1.
#[test]
fn ed25519_takes_exactly_the_points() {
    // 0 has order 4, 1 has order 1.
    let points_below_41 = [3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 19, 21, 23, 24, 25, 26, 27, 28, 29, 30, 32, 33, 35, 37, 39, 40];
    for y in 0..41_u8 {
        let mut bytes = [0; 32];
        bytes[0] = y;
        let key = without(&rfc_key(OKP), &["d"]).with("x", b64(&bytes));
        let expected = match y {
            0 | 1 => Err(InvalidJwk::SmallOrder),
            y if points_below_41.contains(&y) => Ok(()),
            _ => Err(InvalidJwk::NotOnCurve),
        };
        assert_eq!(key.validate(), expected, "y = {y}");
        // The sign of x is not part of y. There is no negative zero: y = 1 has x = 0.
        bytes[31] = 0x80;
        let expected = if y == 1 { Err(InvalidJwk::NotOnCurve) } else { expected };
        assert_eq!(key.with("x", b64(&bytes)).validate(), expected, "y = {y} with the sign set");
    }
    let below_p = |distance: u8| {
        let mut bytes = [0xff; 32];
        bytes[0] = 0xed - distance;
        bytes[31] = 0x7f;
        without(&rfc_key(OKP), &["d"]).with("x", b64(&bytes)).validate()
    };
    let negated = [3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 19, 21, 23, 24, 25, 26, 27, 28, 29];
    for distance in 1..30 {
        let expected = match distance {
            1 => Err(InvalidJwk::SmallOrder),
            distance if negated.contains(&distance) => Ok(()),
            _ => Err(InvalidJwk::NotOnCurve),
        };
        assert_eq!(below_p(distance), expected, "y = p - {distance}");
    }
    // p itself is another way to write 0.
    assert_eq!(below_p(0), Err(InvalidJwk::NotOnCurve));
}

/// The points of order 8, as RFC 7748 and the papers on small subgroups list them.
#[test]
fn points_for_which_anybody_can_sign_are_refused() {
    for encoded in [
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    ] {
        let bytes: Vec<u8> =
            encoded.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).expect("ASCII"), 16).expect("hex")).collect();
        let key = without(&rfc_key(OKP), &["d"]).with("x", b64(&bytes));
        assert_eq!(key.validate(), Err(InvalidJwk::SmallOrder), "{encoded}");
    }
}

#[test]
fn private_halves_of_other_keys_are_refused() {
    let next = |bytes: &mut Vec<u8>| *bytes.last_mut().expect("a byte") ^= 1;
    for name in [EC, P521, OKP] {
        assert_eq!(error(name, json!({ "d": changed(name, "d", next) })), InvalidJwk::PrivateHalfMismatch, "{name}");
    }
    for member in ["d", "p", "q", "dp", "dq", "qi"] {
        assert_eq!(error(RSA, json!({ member: changed(RSA, member, next) })), InvalidJwk::PrivateHalfMismatch, "{member}");
    }
    let other = rfc_key("rfc7517-c");
    assert_eq!(error(RSA, json!({ "n": other.text("n") })), InvalidJwk::PrivateHalfMismatch);
    assert_eq!(error(EC, json!({ "d": b64(&[0; 32]) })), InvalidJwk::PrivateHalfMismatch);
    assert_eq!(error(EC, json!({ "d": b64(&[255; 32]) })), InvalidJwk::PrivateHalfMismatch);
}

#[test]
fn lengths_are_exact() {
    for (name, member, expected) in [(EC, "x", 32), (EC, "y", 32), (EC, "d", 32), (P521, "x", 66), (OKP, "x", 32), (OKP, "d", 32)] {
        let shorter = changed(name, member, |bytes| *bytes = bytes.split_off(1));
        assert_eq!(
            error(name, json!({ member: shorter })),
            InvalidJwk::WrongLength { member: member_name(member), expected, found: expected - 1 }
        );
        let longer = changed(name, member, |bytes| bytes.insert(0, 0));
        assert_eq!(
            error(name, json!({ member: longer })),
            InvalidJwk::WrongLength { member: member_name(member), expected, found: expected + 1 }
        );
    }
}

fn member_name(name: &str) -> &'static str {
    ["x", "y", "d"].into_iter().find(|known| *known == name).expect("a member")
}

#[test]
fn base64url_has_one_way_to_write_bytes() {
    let x = rfc_key(EC).text("x").expect("text").to_owned();
    for text in
        [format!("{x}="), format!(" {x}"), format!("{x}\n"), x.replace('f', "/"), x.replace("f8", "+/"), format!("{}V", &x[..x.len() - 1])]
    {
        assert_eq!(error(EC, json!({ "x": text })), InvalidJwk::NotBase64Url("x"));
    }
}

#[test]
fn members_are_there_and_are_strings() {
    assert_eq!(error(EC, json!({ "kty": "PQC" })), InvalidJwk::UnsupportedType);
    for (name, member, expected) in
        [(EC, "crv", "crv"), (EC, "x", "x"), (EC, "y", "y"), (RSA, "n", "n"), (RSA, "e", "e"), (OKP, "x", "x"), (OCT, "k", "k")]
    {
        assert_eq!(error(name, json!({ member: null })), InvalidJwk::MissingMember(expected));
        assert_eq!(error(name, json!({ member: 7 })), InvalidJwk::MissingMember(expected));
    }
    assert_eq!(error(EC, json!({ "d": 7 })), InvalidJwk::MissingMember("d"));
    assert_eq!(error(EC, json!({ "kid": 7 })), InvalidJwk::NotText("kid"));
    assert_eq!(error(EC, json!({ "use": ["sig"] })), InvalidJwk::NotText("use"));
}

#[test]
fn curves_that_hydra_refuses_are_named() {
    assert_eq!(error(EC, json!({ "crv": "secp256k1" })), InvalidJwk::UnsupportedCurve("secp256k1"));
    for crv in ["X25519", "Ed448", "X448"] {
        assert!(error(OKP, json!({ "crv": crv })).to_string().contains(crv));
    }
    assert_eq!(error(EC, json!({ "crv": "Ed25519" })), InvalidJwk::UnknownCurve);
    assert_eq!(error(OKP, json!({ "crv": "P-256" })), InvalidJwk::UnknownCurve);
}

#[test]
fn rsa_keys_have_a_usable_size_and_all_their_primes() {
    let modulus = |length: usize, last: u8| {
        let mut bytes = vec![0x80; length];
        bytes[length - 1] = last;
        without(&rfc_key(RSA), &["d", "p", "q", "dp", "dq", "qi"]).with("n", b64(&bytes)).validate()
    };
    assert_eq!(modulus(256, 1), Ok(()));
    assert_eq!(modulus(1024, 1), Ok(()));
    assert_eq!(modulus(255, 1), Err(InvalidJwk::ModulusSize(2040)));
    assert_eq!(modulus(1025, 1), Err(InvalidJwk::ModulusSize(8200)));
    assert_eq!(modulus(256, 2), Err(InvalidJwk::EvenModulus));
    assert_eq!(error(RSA, json!({ "n": changed(RSA, "n", |bytes| bytes.insert(0, 0)) })), InvalidJwk::LeadingZero("n"));
    assert_eq!(error(RSA, json!({ "e": b64(&[0, 1, 0, 1]) })), InvalidJwk::LeadingZero("e"));
    for e in [&[1_u8][..], &[2], &[], &[3, 0, 0, 0, 1]] {
        assert_eq!(error(RSA, json!({ "e": b64(e) })), InvalidJwk::BadExponent);
    }
    for member in ["p", "q", "dp", "dq", "qi"] {
        assert!(matches!(error(RSA, json!({ member: null })), InvalidJwk::MissingPrime(name) if name == member));
    }
    assert_eq!(error(RSA, json!({ "p": null, "q": null, "dp": null, "dq": null, "qi": null })), InvalidJwk::MissingPrime("p"));
    assert_eq!(error(RSA, json!({ "d": null })), InvalidJwk::MissingMember("d"));
    assert_eq!(error(RSA, json!({ "oth": [] })), InvalidJwk::MultiPrime);
}

#[test]
fn alg_fits_the_key() {
    for (name, alg) in [
        (RSA, "RS256"),
        (RSA, "PS512"),
        (RSA, "RSA-OAEP"),
        (EC, "ES256"),
        (EC, "ECDH-ES"),
        (P521, "ES512"),
        (OKP, "EdDSA"),
        (OKP, "Ed25519"),
        (OCT, "HS512"),
        (EC, "X-our-own"),
    ] {
        assert_eq!(rfc_key(name).with("alg", alg).validate(), Ok(()), "{alg}");
    }
    for (name, alg) in [
        (RSA, "ES256"),
        (EC, "RS256"),
        (EC, "ES384"),
        (EC, "ES256K"),
        (P521, "ES256"),
        (OKP, "ES256"),
        (OCT, "RS256"),
        (EC, "HS256"),
        (EC, "EdDSA"),
        (RSA, "none"),
    ] {
        assert!(matches!(error(name, json!({ "alg": alg })), InvalidJwk::AlgorithmMismatch { .. }), "{alg}");
    }
    assert!(matches!(error(OCT, json!({ "alg": "ES256", "crv": "P-256" })), InvalidJwk::AlgorithmMismatch { .. }));
}

#[test]
fn secrets_are_as_long_as_their_hash() {
    for (alg, length) in [("HS256", 32), ("HS384", 48), ("HS512", 64)] {
        assert_eq!(symmetric::length(alg), Some(length));
        let key = symmetric::from_bytes("k1", alg, "sig", &vec![7; length]).expect("long enough");
        assert_eq!((key.kid(), key.kty(), key.alg(), key.key_use()), (Some("k1"), Some("oct"), Some(alg), Some("sig")));
        assert_eq!(key.text("k").map(|text| URL_SAFE_NO_PAD.decode(text)), Some(Ok(vec![7; length])));
        let short = symmetric::from_bytes("k1", alg, "sig", &vec![7; length - 1]);
        assert_eq!(short, Err(InvalidJwk::SecretTooShort { at_least: length, found: length - 1 }));
    }
    assert!(matches!(symmetric::from_bytes("k1", "A128KW", "enc", &[7; 64]), Err(InvalidJwk::AlgorithmMismatch { .. })));
    assert_eq!(error(OCT, json!({ "k": "" })), InvalidJwk::SecretTooShort { at_least: 1, found: 0 });
}

#[test]
fn messages_never_repeat_a_value() {
    let key = Jwk::parse(br#"{"kty":"EC","crv":"my-crv","x":"my-x","y":"my-y","d":"my-d","alg":"my-alg"}"#).expect("a key");
    let text = key.validate().expect_err("no such curve").to_string();
    assert!(!text.contains("my-"), "{text}");
}
