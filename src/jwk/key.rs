//! One JSON Web Key with all its members.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Map, Value};
use zeroize::Zeroize;

use super::{IncompleteKey, ParseError, PublicJwk, Thumbprint, public, thumbprint};

/// Members that are private wherever they stand (RFC 7518 sections 6.2.2, 6.3.2, 6.4.1; RFC 8037 section 2).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A JSON Web Key (RFC 7517 section 4), public or private, with every member it was parsed from.
///
/// It may hold private key material: `Debug` shows only `kid`, the thumbprint and a `kty` and `alg` that are known, and the strings are overwritten when it is
/// dropped. There is no `Display`. `Serialize` writes everything, so it belongs only into a request to the admin API.
#[derive(Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Jwk(Map<String, Value>);

impl Jwk {
    /// A key from its members, as they are. Nothing is checked: see `validate`.
    pub fn from_members(members: Map<String, Value>) -> Self {
        Self(members)
    }

    /// All members, private ones included.
    pub fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The same key with the member `name` set to `value`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        if let Some(mut old) = self.0.insert(name.to_owned(), value.into()) {
            overwrite(&mut old);
        }
        self
    }

    /// The member `name`, if it is there and a string.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// `kid`, the key ID (RFC 7517 section 4.5).
    pub fn kid(&self) -> Option<&str> {
        self.text("kid")
    }

    /// `kty`, the key type (RFC 7517 section 4.1): `EC`, `RSA`, `OKP`, `oct` or one unknown here.
    pub fn kty(&self) -> Option<&str> {
        self.text("kty")
    }

    /// Whether the key type is one that is supported.
    pub(super) fn has_known_type(&self) -> bool {
        matches!(self.kty(), Some("EC" | "RSA" | "OKP" | "oct"))
    }

    /// `alg`, the algorithm the key is for (RFC 7517 section 4.4).
    pub fn alg(&self) -> Option<&str> {
        self.text("alg")
    }

    /// `use`, the intended use (RFC 7517 section 4.2): `sig`, `enc` or another.
    pub fn key_use(&self) -> Option<&str> {
        self.text("use")
    }

    /// Whether this key can sign or decrypt: it has a private member, or it is of a type whose members are not known to be public.
    pub fn is_private(&self) -> bool {
        !matches!(self.kty(), Some("EC" | "RSA" | "OKP")) || PRIVATE_MEMBERS.iter().any(|name| self.0.contains_key(*name))
    }

    /// The public half by the allow-list of the key's `kty`; `None` for `oct` and for an unknown type, which have none.
    pub fn public_half(&self) -> Option<PublicJwk> {
        public::public_half(self)
    }

    /// The SHA-256 thumbprint of RFC 7638 over the members its `kty` requires.
    ///
    /// # Errors
    /// [`IncompleteKey`] names the member that is missing or not a string, or says that the type is unknown.
    pub fn thumbprint(&self) -> Result<Thumbprint, IncompleteKey> {
        thumbprint::of(self)
    }
}

impl Jwk {
    /// The thumbprint of a key that has a public half, and so may be told; `None` for a symmetric one, whose thumbprint is a hash of the secret
    /// (RFC 7638 section 7), and for an incomplete one.
    pub fn public_thumbprint(&self) -> Option<Thumbprint> {
        self.public_half()?.thumbprint().ok()
    }
}

impl Drop for Jwk {
    fn drop(&mut self) {
        for (_, value) in self.0.iter_mut() {
            overwrite(value);
        }
    }
}

/// Overwrites every string in `value`. What serde_json copied while parsing is out of reach; the parsers keep their input buffers short-lived.
pub(super) fn overwrite(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(overwrite),
        Value::Object(members) => members.iter_mut().for_each(|(_, member)| overwrite(member)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl<'de> Deserialize<'de> for Jwk {
    /// Any JSON object with a `kty` that is a string (RFC 7517 section 4.1 requires it). The error never repeats a value.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer).map_err(|_| D::Error::custom(ParseError::KeyIsNoObject))?;
        Self::from_value(value).map_err(D::Error::custom)
    }
}
