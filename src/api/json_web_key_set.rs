//! `JsonWebKeySet`: what a platform team wants a remote set to be.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use super::{DeletionPolicy, Import, JsonWebKeySetStatus, KeyUse, PublicKey, PublishTarget, Rotation};

/// One remote JSON Web Key Set: its keys, who signs, and where the public halves are published.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "jwk-operator.dev",
    version = "v1alpha1",
    kind = "JsonWebKeySet",
    plural = "jsonwebkeysets",
    singular = "jsonwebkeyset",
    shortname = "jwks",
    category = "jwk",
    namespaced,
    status = "JsonWebKeySetStatus",
    derive = "PartialEq",
    doc = "JsonWebKeySet makes a key set of an Ory Hydra admin API match its spec, and publishes the public halves of the keys.",
    selectable = ".status.set",
    printcolumn(name = "Set", type_ = "string", json_path = ".status.set"),
    printcolumn(name = "Keys", type_ = "integer", json_path = ".status.keyCount"),
    printcolumn(name = "Signer", type_ = "string", json_path = ".status.signer"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Next", type_ = "string", json_path = ".status.nextRotation"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("has(self.spec.set) || size(self.metadata.name) <= 100")
        .message("metadata.name must have at most 100 characters without spec.set, or the default set {namespace}.{name} would be too long; write spec.set")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "(has(self.adminApiRef) ? self.adminApiRef.name : 'default') == (has(oldSelf.adminApiRef) ? oldSelf.adminApiRef.name : 'default')")
        .message("adminApiRef cannot change (absent means default); create another JsonWebKeySet").field_path(".adminApiRef"),
    validation = Rule::new("has(self.set) == has(oldSelf.set) && (!has(self.set) || self.set == oldSelf.set)")
        .message(kube::core::Message::Expression(
            "'set cannot change' + (has(oldSelf.set) ? ' from ' + oldSelf.set : ' from its default {namespace}.{name}') + ': create another JsonWebKeySet'".into()))
        .field_path(".set"),
    validation = Rule::new(
        "!has(self.keys) || self.keys.map(k, has(k.public) ? k.public.kid : has(k.import) && has(k.import.kid) ? k.import.kid : '#' + k.name).all(x, self.keys.map(k, has(k.public) ? k.public.kid : has(k.import) && has(k.import.kid) ? k.import.kid : '#' + k.name).exists_one(y, x == y))")
        .message("two keys have the same kid; a kid must be unique in the set").field_path(".keys"),
    validation = Rule::new(
        "!has(self.revoke) || !has(self.keys) || !self.keys.exists(k, has(k.public) && k.public.kid in self.revoke || has(k.import) && has(k.import.kid) && k.import.kid in self.revoke)")
        .message("a kid must not be in both revoke and keys: remove its entry from keys").field_path(".revoke"),
    validation = Rule::new(
        "has(self.signer) ? (has(self.keys) && self.keys.exists(k, k.name == self.signer && !has(k.public))) : (!has(self.keys) || self.keys.filter(k, !has(k.public)).size() <= 1)")
        .message(kube::core::Message::Expression(
            "has(self.signer) ? 'signer \"' + self.signer + '\" must be the name of a generate or import entry' : 'several entries can sign: write signer, the name of the generate or import entry that does'".into()))
        .field_path(".signer")
)]
pub struct JsonWebKeySetSpec {
    /// The AdminApi that reaches the remote set. Defaults to the one named `default`. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_api_ref: Option<AdminApiRef>,
    /// The id of the remote set. Defaults to `{namespace}.{name}`, after the `setPrefix` of the AdminApi. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9]([A-Za-z0-9._:-]*[A-Za-z0-9])?$') && !self.contains('..')")
        .message(kube::core::Message::Expression(
            "'set \"' + self + '\" must consist of letters, digits and . _ : -, begin and end with a letter or digit, and contain no ..'".into())))]
    pub set: Option<String>,
    /// The name of the entry whose key signs. Required if several entries are `generate` or `import`. The order of `keys` has no meaning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub signer: Option<String>,
    /// The keys of the set, each under a name of your choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub keys: Vec<KeySource>,
    /// The kids of keys that are removed from the set and from every target at once, because somebody else knows their private halves. Every
    /// verifier that reads the set again rejects what they signed. A kid in this list is never used again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 255)), extend("x-kubernetes-list-type" = "set"))]
    pub revoke: Vec<String>,
    /// What happens to remote keys that belong to no entry. Defaults to `Keep`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmanaged_keys: Option<UnmanagedKeys>,
    /// What happens to the remote set when this resource is deleted. Defaults to `Delete` if the operator created the set, and to `Retain` if it
    /// found it; `status.onDelete` shows which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// `Enforce` (the default), or `Observe`: report and publish, but never write to the remote set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Where the public halves are published. Defaults to the ConfigMap `{name}-jwks`, data key `jwks.json`. `[]` publishes nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    #[x_kube(validation = Rule::new(
        "self.map(t, has(t.configMap) ? 'c/' + t.configMap.name : has(t.secret) ? 's/' + t.secret.name : '').all(x, x == '' || self.map(t, has(t.configMap) ? 'c/' + t.configMap.name : has(t.secret) ? 's/' + t.secret.name : '').exists_one(y, x == y))")
        .message("two targets must not name the same object"))]
    pub publish: Option<Vec<PublishTarget>>,
}

/// Names an AdminApi.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AdminApiRef {
    /// The name of the AdminApi.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
}

/// One key of the set: exactly one of `generate`, `import` and `public`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.generate), has(self.import), has(self.public)].filter(x, x).size() == 1")
        .message(kube::core::Message::Expression("'key \"' + self.name + '\" must have exactly one of generate, import and public'".into())),
    validation = Rule::new("!has(self.rotation) || !has(self.rotation.interval) || has(self.generate)")
        .message("rotation.interval is allowed with generate only; an imported key is replaced when its Secret changes").field_path(".rotation"),
    validation = Rule::new("!has(self.rotation) || !has(self.public)")
        .message("rotation is allowed with generate and import only; the operator does not rotate the public key of somebody else").field_path(".rotation"),
    validation = Rule::new("!has(self.generate) || !has(oldSelf.generate) || self.generate == oldSelf.generate")
        .message("generate cannot change: add an entry with another name and remove this one").field_path(".generate")
)]
pub struct KeySource {
    /// The name of the entry. It is part of the kid of a generated key.
    #[schemars(length(min = 1, max = 32), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// A key pair that is generated and never leaves the admin API. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate: Option<Generate>,
    /// A key from a Secret in the namespace of this resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<Import>,
    /// The public key of somebody else, published with the set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<PublicKey>,
    /// When the key is replaced, and how long its public half is published before and after it signs. Defaults to no automatic rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
}

/// How a key is generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Generate {
    /// The algorithm (RFC 7518 section 3.1, RFC 8037 section 3.1). The operator makes the keys for HS256, HS384 and HS512 itself, since Hydra
    /// cannot.
    pub alg: Algorithm,
    /// What the key is for (RFC 7517 section 4.2). Defaults to `sig`.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub key_use: Option<KeyUse>,
}

/// The algorithms a key can be generated for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, IntoStaticStr, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "each name is the registered name of RFC 7518 and RFC 8037")]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    EdDSA,
    HS256,
    HS384,
    HS512,
}

impl Algorithm {
    /// The registered name, as in the member `alg`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether the key is one shared secret (`kty` oct), which has no public half.
    pub fn is_symmetric(self) -> bool {
        matches!(self, Self::HS256 | Self::HS384 | Self::HS512)
    }
}

/// What happens to remote keys that belong to no entry. `Keep` (the default): they stay as they are, and their public halves are published.
/// `Delete`: after a key of an entry signs, the private ones are reduced to their public halves, and 48 hours later all of them leave the set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UnmanagedKeys {
    /// They stay as they are, and their public halves are published.
    #[default]
    Keep,
    /// After a key of an entry signs, the private ones are reduced to their public halves, and 48 hours later all of them leave the set.
    Delete,
}

/// Whether the remote set may be written: `Enforce` (the default), or `Observe`: it is read and published, but never written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Make the remote set match the spec.
    #[default]
    Enforce,
    /// Report and publish, but never write to the remote set.
    Observe,
}
