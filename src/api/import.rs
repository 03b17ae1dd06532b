//! A key that comes from a Secret.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    KeyUse,
    public_key::{KID, KID_MESSAGE},
};

/// A key from a Secret: a JWK, a JWK Set, PEM (PKCS#1, PKCS#8, SEC1, a public key, a certificate chain), or a Secret of type kubernetes.io/tls.
///
/// When the Secret changes, the new key is announced before it signs, and the old one stays published after it, as `rotation` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Import {
    /// The Secret. It must carry the label `jwk-operator.dev/import: "true"`: otherwise a resource could make the operator read a Secret that the
    /// author of the resource may not read.
    pub secret_ref: ImportSecretRef,
    /// The algorithm. Defaults to the `alg` of the JWK, else to the one that follows from the curve. Required for an RSA key without an `alg`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub alg: Option<String>,
    /// What the key is for. Defaults to the `use` of the JWK, else to `sig`.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub key_use: Option<KeyUse>,
    /// The key ID. It also selects a key of a JWK Set. Defaults to the `kid` of the JWK, else to `{set}.{name}.{first 16 of its thumbprint}`.
    /// If it is set here, a new key in the Secret is refused under the same kid: a verifier that knows the kid would never fetch the new key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = Rule::new(KID).message(KID_MESSAGE))]
    pub kid: Option<String>,
}

/// One value of a Secret in the namespace of the resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ImportSecretRef {
    /// The name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
    /// The data key. Defaults to `tls.key`, with the certificates of `tls.crt`, in a Secret of type kubernetes.io/tls; else to the only data key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub key: Option<String>,
}
