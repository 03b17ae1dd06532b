//! The thumbprint of RFC 7638.

use std::fmt;

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Jwk;

/// The SHA-256 thumbprint of a key (RFC 7638): 43 characters of base64url. Two keys with the same thumbprint are the same key.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Thumbprint(String);

impl Thumbprint {
    /// The thumbprint as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a key has no thumbprint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IncompleteKey {
    /// RFC 7638 section 3.2 fixes the members for known types only.
    #[error("the kty must be one of EC, RSA, OKP and oct")]
    UnknownType,
    /// A member that the type requires.
    #[error("the member {0} is missing or not a string")]
    MissingMember(&'static str),
}

/// Hashes the required members in lexicographic order without white space (RFC 7638 section 3).
pub(super) fn of(key: &Jwk) -> Result<Thumbprint, IncompleteKey> {
    let required: &[&'static str] = match key.kty() {
        Some("EC") => &["crv", "kty", "x", "y"],
        Some("RSA") => &["e", "kty", "n"],
        Some("OKP") => &["crv", "kty", "x"],
        Some("oct") => &["k", "kty"],
        _ => return Err(IncompleteKey::UnknownType),
    };
    let mut hashed = digest::Context::new(&digest::SHA256);
    for (index, name) in required.iter().enumerate() {
        let value = key.members().get(*name).filter(|value| value.is_string()).ok_or(IncompleteKey::MissingMember(name))?;
        let separator = if index == 0 { "{" } else { "," };
        // `Value` displays a string as JSON, quoted and escaped.
        hashed.update(format!("{separator}\"{name}\":{value}").as_bytes());
    }
    hashed.update(b"}");
    Ok(Thumbprint(URL_SAFE_NO_PAD.encode(hashed.finish())))
}
