//! A set of JSON Web Keys.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;

use super::{Jwk, ParseError, PublicJwkSet};

/// A JWK Set (RFC 7517 section 5) in the order it was read. It may hold private keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
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

impl<'de> Deserialize<'de> for JwkSet {
    /// What [`JwkSet::parse`] takes. The error never repeats a value.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer).map_err(|_| D::Error::custom(ParseError::NotASet))?;
        Self::from_value(value).map_err(D::Error::custom)
    }
}
