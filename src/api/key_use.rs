//! What a key is for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

/// What a key is for (RFC 7517 section 4.2): `sig` for signatures, `enc` for encryption.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, IntoStaticStr, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum KeyUse {
    /// Signatures.
    #[default]
    Sig,
    /// Encryption.
    Enc,
}

impl KeyUse {
    /// The value of the member `use`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
