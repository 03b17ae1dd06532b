//! Keys in the form that jsonwebtoken signs with.

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rsa::{KeyPair, KeyPairComponents},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaPublicKeyComponents},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::EncodingKey;
use jwk_operator::jwk::Jwk;

/// The bytes of a member.
pub fn part(key: &Jwk, name: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(key.text(name).expect("text")).expect("base64url")
}

/// The private key in the form that jsonwebtoken reads.
pub fn signing_key(key: &Jwk) -> EncodingKey {
    let point = || [&[4][..], &part(key, "x"), &part(key, "y")].concat();
    match key.kty() {
        Some("EC") => {
            let algorithm = if key.alg() == Some("ES256") { &ECDSA_P256_SHA256_FIXED_SIGNING } else { &ECDSA_P384_SHA384_FIXED_SIGNING };
            let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, &part(key, "d"), &point()).expect("a key pair");
            EncodingKey::from_ec_der(pair.to_pkcs8v1().expect("PKCS#8").as_ref())
        }
        Some("OKP") => {
            let pair = Ed25519KeyPair::from_seed_and_public_key(&part(key, "d"), &part(key, "x")).expect("a key pair");
            EncodingKey::from_ed_der(pair.to_pkcs8v1().expect("PKCS#8").as_ref())
        }
        _ => {
            let public_key = RsaPublicKeyComponents { n: part(key, "n"), e: part(key, "e") };
            let [d, p, q, dp, dq, qi] = ["d", "p", "q", "dp", "dq", "qi"].map(|name| part(key, name));
            let pair = KeyPair::from_components(&KeyPairComponents { public_key, d, p, q, dP: dp, dQ: dq, qInv: qi }).expect("a key pair");
            let document: Pkcs8V1Der<'_> = pair.as_der().expect("PKCS#8");
            let inner = pkcs8::PrivateKeyInfoRef::try_from(document.as_ref()).expect("PKCS#8");
            EncodingKey::from_rsa_der(inner.private_key.as_bytes())
        }
    }
}
