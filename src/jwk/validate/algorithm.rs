//! Whether `alg` can be used with the key.

use super::{InvalidJwk, Jwk};
use crate::jwk::algorithm::Algorithm;

/// An `alg` unknown here says nothing: RFC 7517 section 4.4 leaves it open.
pub(super) fn validate(key: &Jwk) -> Result<(), InvalidJwk> {
    match key.alg() {
        Some("none") => Err(InvalidJwk::AlgorithmMismatch { needs: "none is not an algorithm for a key" }),
        Some(name) => match Algorithm::named(name) {
            Some(algorithm) => algorithm.fits(key).map_err(|needs| InvalidJwk::AlgorithmMismatch { needs }),
            None => Ok(()),
        },
        None => Ok(()),
    }
}
