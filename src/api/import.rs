//! A key that comes from a Secret.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::KeyUse;

/// A key of a Secret: a JWK, a JWK Set, PEM (PKCS#1, PKCS#8, SEC1, a public key, a certificate chain), or a Secret of type kubernetes.io/tls.
///
/// When the Secret changes, the new key is announced before it signs, and the old one stays published after it, as `rotation` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Import {
    /// The Secret. It must carry the label `jwk-operator.dev/import: "true"`: without it a resource could make the operator read what its
    /// author may not.
    pub secret_ref: ImportSecretRef,
    /// The algorithm. Absent: the JWK's own, else what the curve says. RSA keys need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub alg: Option<String>,
    /// What the key is for. Absent: the JWK's own, else `sig`.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub key_use: Option<KeyUse>,
    /// The key ID; it chooses among the keys of a JWK Set. Absent: the JWK's own, else `{set}.{name}.{first 16 of its thumbprint}`. A new key
    /// under a kid that is written here is refused, since a verifier that knows the kid would never fetch it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._:-]*$"))]
    pub kid: Option<String>,
}

/// One value of a Secret in the namespace of the resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ImportSecretRef {
    /// The name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
    /// The data key. Absent: `tls.key`, with the certificates of `tls.crt`, in a Secret of type kubernetes.io/tls; else the only one there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub key: Option<String>,
}
