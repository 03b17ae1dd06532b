//! Octet key pairs (RFC 8037). Only Ed25519 is supported.

use aws_lc_rs::signature::Ed25519KeyPair;
use curve25519_dalek::edwards::CompressedEdwardsY;

use super::{InvalidJwk, Jwk, exactly};

/// The bytes of a public key and of a private one.
const SIZE: usize = 32;

pub(super) fn validate(key: &Jwk) -> Result<(), InvalidJwk> {
    match key.text("crv").ok_or(InvalidJwk::MissingMember("crv"))? {
        "Ed25519" => {}
        "X25519" => return Err(InvalidJwk::UnsupportedCurve("X25519")),
        "Ed448" => return Err(InvalidJwk::UnsupportedCurve("Ed448")),
        "X448" => return Err(InvalidJwk::UnsupportedCurve("X448")),
        _ => return Err(InvalidJwk::UnknownCurve),
    }
    let x = exactly(key, "x", SIZE)?;
    check_point(&x)?;
    if key.members().contains_key("d") && Ed25519KeyPair::from_seed_and_public_key(&exactly(key, "d", SIZE)?, &x).is_err() {
        return Err(InvalidJwk::PrivateHalfMismatch);
    }
    Ok(())
}

/// Whether the bytes are the one encoding of a point (RFC 8032 section 5.1.3) that can be a public key. aws-lc takes any 32 bytes and fails
/// only when it verifies, where nobody can tell a bad key from a bad signature.
fn check_point(encoded: &[u8]) -> Result<(), InvalidJwk> {
    let encoded = CompressedEdwardsY::from_slice(encoded).map_err(|_| InvalidJwk::NotOnCurve)?;
    // y may be written in two ways if it is less than 19, and x = 0 with either sign.
    let point = encoded.decompress().filter(|point| point.compress() == encoded).ok_or(InvalidJwk::NotOnCurve)?;
    if point.is_small_order() { Err(InvalidJwk::SmallOrder) } else { Ok(()) }
}
