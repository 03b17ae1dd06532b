//! Symmetric keys for HMAC (RFC 7518 section 3.2), made from bytes that the caller drew.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Map;

use super::{InvalidJwk, Jwk};

/// How many bytes a key for `alg` should have: the length of its hash, which RFC 7518 section 3.2 asks for at least. `None` if `alg` is none of
/// HS256, HS384, HS512.
pub fn length(alg: &str) -> Option<usize> {
    match alg {
        "HS256" => Some(32),
        "HS384" => Some(48),
        "HS512" => Some(64),
        _ => None,
    }
}

/// The `oct` key whose secret is `bytes`.
///
/// # Errors
/// [`InvalidJwk::AlgorithmMismatch`] if `alg` is none of HS256, HS384, HS512; [`InvalidJwk::SecretTooShort`] if `bytes` is shorter than [`length`].
pub fn from_bytes(kid: &str, alg: &str, key_use: &str, bytes: &[u8]) -> Result<Jwk, InvalidJwk> {
    if length(alg).is_none() {
        return Err(InvalidJwk::AlgorithmMismatch { needs: "an oct key is made for HS256, HS384 or HS512" });
    }
    let key = Jwk::from_members(Map::new())
        .with("kty", "oct")
        .with("kid", kid)
        .with("alg", alg)
        .with("use", key_use)
        .with("k", URL_SAFE_NO_PAD.encode(bytes));
    key.validate()?;
    Ok(key)
}
