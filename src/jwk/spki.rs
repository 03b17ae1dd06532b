//! Public keys as SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) in PEM (RFC 7468 section 13), as verifiers read them that know no JWK Set.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use der::{
    Encode as _,
    asn1::{AnyRef, BitStringRef, ObjectIdentifier, UintRef},
    oid::db,
};
use pem::{EncodeConfig, LineEnding, Pem};
use pkcs8::{SubjectPublicKeyInfoRef, spki::AlgorithmIdentifierRef};

use super::{PublicJwk, import};

const LABEL: &str = "PUBLIC KEY";

/// The keys as PEM sections, in their order. One that has no such form is left out.
pub fn to_pem<'key>(keys: impl IntoIterator<Item = &'key PublicJwk>) -> String {
    let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
    keys.into_iter().filter_map(info).map(|der| pem::encode_config(&Pem::new(LABEL, der), config)).collect()
}

/// The keys of a document that [`to_pem`] can have written, without kids; `None` if there is anything else in it.
pub fn read_pem(text: &str) -> Option<Vec<PublicJwk>> {
    let sections = pem::parse_many(text).ok()?;
    let keys = sections.iter().filter(|section| section.tag() == LABEL);
    let keys: Option<Vec<_>> = keys.map(|section| import::subject_public_key(section.contents()).ok()?.public_half()).collect();
    // Whatever stands between sections is lost on the way.
    keys.filter(|keys| !keys.is_empty() && to_pem(keys) == text)
}

/// Its SubjectPublicKeyInfo in DER.
fn info(key: &PublicJwk) -> Option<Vec<u8>> {
    let key = key.as_jwk();
    let part = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(key.text(name)?).ok();
    match (key.kty()?, key.text("crv")) {
        ("RSA", _) => {
            let (n, e) = (part("n")?, part("e")?);
            let key = pkcs1::RsaPublicKey { modulus: UintRef::new(&n).ok()?, public_exponent: UintRef::new(&e).ok()? };
            encoded(db::rfc5912::RSA_ENCRYPTION, Some(AnyRef::NULL), &key.to_der().ok()?)
        }
        ("EC", Some(crv)) => {
            let curve = match crv {
                "P-256" => db::rfc5912::SECP_256_R_1,
                "P-384" => db::rfc5912::SECP_384_R_1,
                "P-521" => db::rfc5912::SECP_521_R_1,
                _ => return None,
            };
            // The uncompressed form (SEC 1 section 2.3.3).
            let point = [&[4][..], &part("x")?, &part("y")?].concat();
            encoded(db::rfc5912::ID_EC_PUBLIC_KEY, Some(AnyRef::from(&curve)), &point)
        }
        ("OKP", Some("Ed25519")) => encoded(db::rfc8410::ID_ED_25519, None, &part("x")?),
        _ => None,
    }
}

fn encoded(oid: ObjectIdentifier, parameters: Option<AnyRef<'_>>, key: &[u8]) -> Option<Vec<u8>> {
    let subject_public_key = BitStringRef::from_bytes(key).ok()?;
    SubjectPublicKeyInfoRef { algorithm: AlgorithmIdentifierRef { oid, parameters }, subject_public_key }.to_der().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(members: serde_json::Value) -> PublicJwk {
        serde_json::from_value(members).expect("a public key")
    }

    /// RFC 8410 section 10.1 has this key, and its JWK by RFC 8037.
    #[test]
    fn an_edwards_key_is_written_as_its_rfc_has_it() {
        let written = to_pem([&key(json!({ "kty": "OKP", "crv": "Ed25519", "x": "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE" }))]);
        let expected =
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
        assert_eq!(written, expected);
    }

    #[test]
    fn only_what_is_public_and_complete_is_read_back() {
        let ed =
            key(json!({ "kty": "OKP", "crv": "Ed25519", "x": "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE", "kid": "a", "alg": "EdDSA" }));
        let ec = key(json!({
            "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        }));
        let text = to_pem([&ed, &ec]);
        let read = read_pem(&text).expect("keys");
        assert_eq!(read.iter().map(PublicJwk::thumbprint).collect::<Vec<_>>(), [ed.thumbprint(), ec.thumbprint()]);
        assert!(read.iter().all(|key| key.kid().is_none()));
        let private =
            "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
        for other in
            [String::new(), format!("{text}{private}"), format!("password\n{text}"), text.replace("MCow", "MCox"), private.to_owned()]
        {
            assert!(read_pem(&other).is_none(), "{other}");
        }
        assert_eq!(to_pem([&key(json!({ "kty": "OKP", "crv": "Ed448", "x": "AAAA" }))]), "", "it has no such form here");
    }
}
