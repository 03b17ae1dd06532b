//! Whether `alg` can be used with the key (RFC 7518 sections 3.1, 4.1 and 5.1, RFC 8037 section 3.1, RFC 9864).

use super::{InvalidJwk, Jwk};

/// An `alg` unknown here says nothing: RFC 7517 section 4.4 leaves it open.
pub(super) fn validate(key: &Jwk) -> Result<(), InvalidJwk> {
    let (kty, crv) = (key.kty().unwrap_or_default(), key.text("crv").unwrap_or_default());
    let on = |curve| kty != "oct" && crv == curve;
    let (fits, needs) = match key.alg() {
        Some("RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512") => (kty == "RSA", "RS* and PS* need an RSA key"),
        Some("RSA1_5" | "RSA-OAEP" | "RSA-OAEP-256" | "RSA-OAEP-384" | "RSA-OAEP-512") => {
            (kty == "RSA", "RSA1_5 and RSA-OAEP* need an RSA key")
        }
        Some("ES256") => (on("P-256"), "ES256 needs an EC key on P-256"),
        Some("ES384") => (on("P-384"), "ES384 needs an EC key on P-384"),
        Some("ES512") => (on("P-521"), "ES512 needs an EC key on P-521"),
        Some("ES256K") => (on("secp256k1"), "ES256K needs an EC key on secp256k1"),
        Some("EdDSA" | "Ed25519") => (on("Ed25519"), "EdDSA and Ed25519 need an OKP key on Ed25519"),
        Some("ECDH-ES" | "ECDH-ES+A128KW" | "ECDH-ES+A192KW" | "ECDH-ES+A256KW") => (kty == "EC", "ECDH-ES needs an EC key"),
        Some("HS256" | "HS384" | "HS512") => (kty == "oct", "HS* needs an oct key"),
        Some("A128KW" | "A192KW" | "A256KW" | "A128GCMKW" | "A192GCMKW" | "A256GCMKW" | "dir") => {
            (kty == "oct", "this alg needs an oct key")
        }
        Some("none") => (false, "none is not an algorithm for a key"),
        _ => return Ok(()),
    };
    if fits { Ok(()) } else { Err(InvalidJwk::AlgorithmMismatch { needs }) }
}
