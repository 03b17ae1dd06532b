//! A set of JSON Web Keys.

use serde::{Deserialize, Serialize};

use super::{Jwk, PublicJwkSet};

/// A JWK Set (RFC 7517 section 5) in the order it was read. It may hold private keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JwkSet {
    /// The keys. The admin API answers newest first, and the first private key is the one that signs.
    pub keys: Vec<Jwk>,
}

impl JwkSet {
    /// The first key with this `kid`.
    pub fn key(&self, kid: &str) -> Option<&Jwk> {
        self.keys.iter().find(|key| key.kid() == Some(kid))
    }

    /// The public halves of all keys that have one, in the same order.
    pub fn public_halves(&self) -> PublicJwkSet {
        PublicJwkSet { keys: self.keys.iter().filter_map(Jwk::public_half).collect() }
    }
}
