//! Reading keys from bytes that may be anything.
//!
//! serde's own errors repeat what they met (`invalid type: string "..."`), which may be a private key. These never do.

use serde_json::{Map, Value};

use super::{Jwk, JwkSet, key::overwrite};

/// Why bytes are no key or no set. No message repeats any of the input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not one JSON text, or nested deeper than 128 levels.
    #[error("not valid JSON at line {line}, column {column}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The column, from 1; 0 at the start of a line.
        column: usize,
    },
    /// JSON, but no object where a key is expected.
    #[error("a JWK must be a JSON object")]
    KeyIsNoObject,
    /// A key without `kty`, or with one that is no string (RFC 7517 section 4.1).
    #[error("a JWK must have the member kty, a string")]
    MissingType,
    /// JSON, but no object with a list `keys` (RFC 7517 section 5.1).
    #[error("a JWK Set must be a JSON object with the member keys, a list")]
    NotASet,
    /// One key of a set.
    #[error("key {index} of the set: {reason}")]
    Key {
        /// Its place in the list, from 0.
        index: usize,
        /// What is wrong with it: `KeyIsNoObject` or `MissingType`.
        reason: Box<ParseError>,
    },
}

impl Jwk {
    /// Reads one key. Of members that are there twice the last counts, as RFC 7517 section 4 allows.
    ///
    /// # Errors
    /// [`ParseError`] if the bytes are no JSON object with a `kty`. What the members hold is not checked: see [`Jwk::validate`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        Self::from_value(json(bytes)?)
    }

    pub(super) fn from_value(value: Value) -> Result<Self, ParseError> {
        let key = Self::from_members(object(value).ok_or(ParseError::KeyIsNoObject)?);
        if key.kty().is_none() { Err(ParseError::MissingType) } else { Ok(key) }
    }
}

impl JwkSet {
    /// Reads a set. Other members of the set than `keys` are ignored, as RFC 7517 section 5 asks.
    ///
    /// # Errors
    /// [`ParseError`] if the bytes are no JSON object with a list of keys, each with a `kty`. One bad key makes the set bad: a set that is read in
    /// part would look like one from which keys were removed.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        Self::from_value(json(bytes)?)
    }

    /// Reads the keys of a set one by one, for who wants one of them: what is no key beside it is passed over (RFC 7517 section 5).
    ///
    /// # Errors
    /// [`ParseError`] if the bytes are no JSON object with a list of keys; inside, why one of the list is no key.
    pub fn parse_each(bytes: &[u8]) -> Result<Vec<Result<Jwk, ParseError>>, ParseError> {
        each(json(bytes)?)
    }

    pub(super) fn from_value(value: Value) -> Result<Self, ParseError> {
        Ok(Self { keys: each(value)?.into_iter().collect::<Result<_, _>>()? })
    }
}

/// Every value becomes a key before the first error is returned, so that all of them are overwritten when they are dropped.
fn each(value: Value) -> Result<Vec<Result<Jwk, ParseError>>, ParseError> {
    let mut members = object(value).ok_or(ParseError::NotASet)?;
    let keys = members.remove("keys");
    members.iter_mut().for_each(|(_, value)| overwrite(value));
    let Some(Value::Array(values)) = keys.map(wiped_unless_list) else { return Err(ParseError::NotASet) };
    let keys = values.into_iter().map(Jwk::from_value).enumerate();
    Ok(keys.map(|(index, key)| key.map_err(|reason| ParseError::Key { index, reason: Box::new(reason) })).collect())
}

fn json(bytes: &[u8]) -> Result<Value, ParseError> {
    serde_json::from_slice(bytes).map_err(|error| ParseError::Syntax { line: error.line(), column: error.column() })
}

/// The members of an object; anything else is overwritten, since it may be a key in the wrong place.
fn object(mut value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(members) => Some(members),
        _ => {
            overwrite(&mut value);
            None
        }
    }
}

fn wiped_unless_list(mut value: Value) -> Value {
    if !value.is_array() {
        overwrite(&mut value);
    }
    value
}
