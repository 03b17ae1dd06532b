//! Private keys on Ed25519 (RFC 8037 section 2).

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};

use super::{encoded, key_of};
use crate::jwk::Jwk;

/// The key of a private value of 32 bytes; `None` if it has another length.
pub(super) fn of_seed(seed: &[u8]) -> Option<Jwk> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
    let public = encoded(pair.public_key().as_ref());
    Some(key_of([("kty", "OKP".to_owned()), ("crv", "Ed25519".to_owned()), ("x", public), ("d", encoded(seed))]))
}
