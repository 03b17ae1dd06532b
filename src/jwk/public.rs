//! The public half of a key, by allow-list.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Map, Value};

use super::{IncompleteKey, Jwk, JwkSet, Thumbprint};

/// Members that may be published for every known type (RFC 7517 section 4).
const COMMON_MEMBERS: [&str; 8] = ["kty", "kid", "use", "alg", "x5u", "x5c", "x5t", "x5t#S256"];
/// The operations of a public key (RFC 7517 section 4.3); the others would claim what only the private half can do.
const PUBLIC_OPERATIONS: [&str; 3] = ["verify", "encrypt", "wrapKey"];

/// The members of the public half of each type (RFC 7518 sections 6.2.1 and 6.3.1, RFC 8037 section 2). `oct` has none, and what an unknown
/// type means by its members cannot be known.
fn public_members(kty: &str) -> Option<&'static [&'static str]> {
    match kty {
        "EC" => Some(&["crv", "x", "y"]),
        "RSA" => Some(&["n", "e"]),
        "OKP" => Some(&["crv", "x"]),
        _ => None,
    }
}

/// The public half of a key: no private member can be in it, whatever it was made from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct PublicJwk(Jwk);

impl PublicJwk {
    /// The same key as a general [`Jwk`].
    pub fn as_jwk(&self) -> &Jwk {
        &self.0
    }

    /// `kid`, the key ID.
    pub fn kid(&self) -> Option<&str> {
        self.0.kid()
    }

    /// The same key without its certificate chain, `x5c` (RFC 7517 section 4.7).
    pub fn without_chain(&self) -> Self {
        let mut members = self.0.members().clone();
        members.remove("x5c");
        Self(Jwk::from_members(members))
    }

    /// The SHA-256 thumbprint of RFC 7638.
    ///
    /// # Errors
    /// [`IncompleteKey`] if a member that the type requires is missing.
    pub fn thumbprint(&self) -> Result<Thumbprint, IncompleteKey> {
        self.0.thumbprint()
    }
}

impl<'de> Deserialize<'de> for PublicJwk {
    /// Reads a key and keeps its public half only. A key without a public half is an error.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        public_half(&Jwk::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("a key of this kty has no public half"))
    }
}

impl JsonSchema for PublicJwk {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PublicJwk".into()
    }

    /// An object with unknown members: what is in it was decided by the allow-list before it was written.
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
    }
}

/// A set of public halves, ready to be published.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PublicJwkSet {
    /// The keys.
    pub keys: Vec<PublicJwk>,
}

impl<'de> Deserialize<'de> for PublicJwkSet {
    /// Reads a set and keeps the public halves only. A key without a public half is an error, which never repeats a value.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let keys = JwkSet::deserialize(deserializer)?.keys;
        let halves = keys.iter().map(|key| public_half(key).ok_or_else(|| D::Error::custom("a key of this kty has no public half")));
        Ok(Self { keys: halves.collect::<Result<_, _>>()? })
    }
}

/// Copies the members on the allow-list of the key's type, each only in the shape the RFC gives it: a nested object could carry anything.
pub(super) fn public_half(key: &Jwk) -> Option<PublicJwk> {
    let own = public_members(key.kty()?)?;
    let mut members: Map<String, Value> = COMMON_MEMBERS
        .iter()
        .chain(own)
        .filter_map(|name| key.members().get_key_value(*name))
        .filter(|(name, value)| if *name == "x5c" { is_list_of_strings(value) } else { value.is_string() })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if let Some(Value::Array(operations)) = key.members().get("key_ops") {
        let kept: Vec<Value> =
            operations.iter().filter(|name| name.as_str().is_some_and(|name| PUBLIC_OPERATIONS.contains(&name))).cloned().collect();
        if !kept.is_empty() {
            members.insert("key_ops".to_owned(), Value::Array(kept));
        }
    }
    Some(PublicJwk(Jwk::from_members(members)))
}

fn is_list_of_strings(value: &Value) -> bool {
    value.as_array().is_some_and(|values| values.iter().all(Value::is_string))
}
