//! `AdminApi`: who may reach which remote sets, and how.

#![allow(clippy::duplicated_attributes, reason = "each printcolumn is an attribute of its own, and two may share a type")]
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema, core::Duration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An admin API of Ory Hydra or Ory Network, and who may reach which of its sets.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "jwk-operator.dev",
    version = "v1alpha1",
    kind = "AdminApi",
    plural = "adminapis",
    singular = "adminapi",
    category = "jwk",
    status = "AdminApiStatus",
    derive = "PartialEq",
    doc = "AdminApi is an admin API of Ory Hydra or Ory Network, how it is reached, and which namespaces may reach which of its key sets.",
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.url"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.tls) || url(self.url).getScheme() == 'https'").message("tls needs an https url").field_path(".tls"))]
pub struct AdminApiSpec {
    /// Scheme, host and port, for example `http://hydra-admin.ory:4445`.
    #[schemars(length(max = 256))]
    #[x_kube(validation = Rule::new(
        "isURL(self) && url(self).getScheme() in ['http','https'] && url(self).getHost() != '' && url(self).getEscapedPath() in ['', '/'] && !self.contains('@') && !self.contains('?') && !self.contains('#')")
        .message("url is scheme, host and port, for example http://hydra-admin.ory:4445; a path belongs in pathPrefix, credentials in auth"))]
    pub url: String,
    /// What stands before `/keys`. Absent: `/admin`; `""` for Hydra 1.x.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128), regex(pattern = r"^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$"))]
    pub path_prefix: Option<String>,
    /// The credentials. Absent: none, as a self-hosted Hydra has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Authentication>,
    /// How the server is recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// How long one call may take. Absent: `60s`. Generating an RSA key takes seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$')")
        .message("a duration is numbers with h, m, s or ms, for example 60s"),
        validation = Rule::new("!self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') || duration(self) >= duration('1s')").message("timeout is at least 1s"))]
    pub timeout: Option<Duration>,
    /// What the sets may ask of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// How often each set is compared with its resource, give or take a tenth. Absent: `10m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$')")
        .message("a duration is numbers with h, m, s or ms, for example 10m"),
        validation = Rule::new("!self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') || duration(self) >= duration('1s')").message("resyncInterval is at least 1s"))]
    pub resync_interval: Option<Duration>,
    /// Which namespaces may use which sets. Rules add up; `[]` grants nothing.
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub access: Vec<AccessRule>,
}

/// What all sets of an AdminApi together may ask of its server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// How many keys are generated at the same time. Absent: 2. An RSA key costs the server a core for seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub generations: Option<i32>,
    /// The shortest time between two rotations of a key, by interval or by annotation. Absent: `1h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$')")
        .message("a duration is numbers with h, m, s or ms, for example 1h"),
        validation = Rule::new("!self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') || duration(self) >= duration('10s')").message("minRotationInterval is at least 10s"))]
    pub min_rotation_interval: Option<Duration>,
}

/// The credentials of the admin API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Authentication {
    /// `Authorization: Bearer`, as Ory Network wants it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_token: Option<BearerToken>,
}

/// A bearer token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BearerToken {
    /// The Secret that holds the token, in the operator's own namespace, with the label `jwk-operator.dev/admin-api`.
    pub secret_ref: SecretKeyRef,
}

/// One value of a Secret in the operator's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretKeyRef {
    /// The name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The data key. Absent: `token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub key: Option<String>,
}

/// How the server is recognised.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// The certificates that sign the server's own, as PEM. Absent: those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_ref: Option<CaRef>,
}

/// One value of a ConfigMap or Secret in the operator's own namespace, with the label `jwk-operator.dev/admin-api`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CaRef {
    /// The kind of the object.
    pub kind: CaRefKind,
    /// The name of the object.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The data key.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// The kinds of objects that can hold certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the kinds of Kubernetes")]
pub enum CaRefKind {
    ConfigMap,
    Secret,
}

/// One grant: these namespaces may use these sets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessRule {
    /// The namespaces. Absent: every namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<Namespaces>,
    /// Patterns of set ids: an id in which `{namespace}` may stand as a whole segment between `.` or `:`, and which may end in `.*` or `:*`.
    /// Hydra's own sets are granted by their full names only.
    #[schemars(length(min = 1, max = 32), schema_with = "set_patterns")]
    pub sets: Vec<String>,
}

/// Namespaces by name.
///
/// `{}` is refused: the API server drops a member that it does not know, and what was meant as a narrower choice would be every namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.names)").message("write namespaces.names, or leave namespaces out for every namespace"))]
pub struct Namespaces {
    /// The names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), extend("x-kubernetes-list-type" = "set"), inner(length(max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")))]
    pub names: Option<Vec<String>>,
}

/// The schema of `sets`, by hand because the rules stand on the items of a list.
fn set_patterns(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 32,
        "x-kubernetes-list-type": "set",
        "items": {
            "type": "string",
            "maxLength": 200,
            "x-kubernetes-validations": [
                {
                    "rule": "self.matches('^([A-Za-z0-9_-]+|[{]namespace[}])([.:]([A-Za-z0-9_-]+|[{]namespace[}]))*([.:][*])?$')",
                    "messageExpression": "'\"' + self + '\": a set pattern is an id, with {namespace} as a whole segment between . or :, and may end in .* or :*; nothing else is special'"
                },
                {
                    "rule": "!self.endsWith('*') || !(self.lowerAscii().startsWith('hydra.'))",
                    "message": "hydra.* is refused: list each of Hydra's own sets by its full name"
                }
            ]
        }
    })
}

/// What was last seen of the admin API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminApiStatus {
    /// The generation of the spec that the conditions speak of; -1 before the first report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The version that the server told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `Ready`: the admin API answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}
