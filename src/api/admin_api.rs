//! `AdminApi`: who may reach which remote sets, and how.

#![allow(clippy::duplicated_attributes, reason = "each printcolumn is an attribute of its own, and two may share a type")]
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema, core::Duration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use super::{AccessRule, Authentication, Tls, durations};

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
#[x_kube(
    validation = Rule::new("!has(self.tls) || url(self.url).getScheme() == 'https'").message("tls requires a url that begins with https://").field_path(".tls"),
    validation = Rule::new(
        "(has(self.setPrefix) ? self.setPrefix : '') == (has(oldSelf.setPrefix) ? oldSelf.setPrefix : '')")
        .message("setPrefix cannot change: it is part of every set id; create another AdminApi").field_path(".setPrefix")
)]
pub struct AdminApiSpec {
    /// Scheme, host and port, for example `http://hydra-admin.ory:4445`.
    #[schemars(length(max = 256))]
    #[x_kube(validation = Rule::new(
        "isURL(self) && url(self).getScheme() in ['http','https'] && url(self).getHost() != '' && url(self).getEscapedPath() in ['', '/'] && !self.contains('@') && !self.contains('?') && !self.contains('#')")
        .message("url must be scheme, host and port, for example http://hydra-admin.ory:4445; a path belongs in pathPrefix, credentials in auth"))]
    pub url: String,
    /// Path prefix of `/keys`. Defaults to `/admin`; write `""` for Hydra 1.x.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128), regex(pattern = r"^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$"))]
    pub path_prefix: Option<String>,
    /// The credentials for the admin API. Defaults to none, which suits a self-hosted Hydra.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Authentication>,
    /// TLS: how the server is verified and the client identified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Value of the header `X-Forwarded-Proto`. Defaults to no header. An admin API that expects a proxy that terminates TLS may refuse plain
    /// http without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarded_proto: Option<ForwardedProto>,
    /// How long the generation of a key may take. Defaults to `60s`: an RSA key takes seconds, and longer under load. Every other request may
    /// take 15 s, or `timeout` if that is shorter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 32))]
    #[x_kube(validation = durations::is_duration("timeout", "60s"),
        validation = durations::at_least("timeout", "1s"))]
    pub timeout: Option<Duration>,
    /// Limits on what all sets of this AdminApi together may ask of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// How often each set is compared with its resource, plus or minus a tenth. Defaults to `10m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 32))]
    #[x_kube(validation = durations::is_duration("resyncInterval", "10m"),
        validation = durations::at_least("resyncInterval", "1s"))]
    pub resync_interval: Option<Duration>,
    /// Prefix of every set id of this AdminApi, so that several clusters on one server never share a set. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?:)?$"))]
    pub set_prefix: Option<String>,
    /// Which namespaces may use which sets. Rules are additive; `[]` grants nothing.
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub access: Vec<AccessRule>,
}

/// What all sets of an AdminApi together may ask of its server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// How many requests are sent per second, on average. Defaults to no fixed rate: `concurrency` and what the server asks for (429,
    /// `Retry-After`, `x-ratelimit-*`) limit the requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub requests_per_second: Option<i32>,
    /// How many requests may be sent at once after a quiet time, if `requestsPerSecond` is set. Defaults to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub burst: Option<i32>,
    /// How many requests may be in flight at the same time. Defaults to 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 256))]
    pub concurrency: Option<i32>,
    /// How many keys may be generated at the same time. Defaults to 2. An RSA key keeps a core of the server busy for seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub generations: Option<i32>,
    /// The shortest time between two rotations of a key, by interval or by annotation. Defaults to `1h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 32))]
    #[x_kube(validation = durations::is_duration("minRotationInterval", "1h"),
        validation = durations::at_least("minRotationInterval", "10s"))]
    pub min_rotation_interval: Option<Duration>,
}

/// Value of the header `X-Forwarded-Proto`, `http` or `https`. Defaults to no header. An admin API that expects a proxy that terminates TLS may
/// refuse plain http without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum ForwardedProto {
    /// `http`
    Http,
    /// `https`
    Https,
}

impl ForwardedProto {
    /// The value of the header.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Last observed state of the admin API.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminApiStatus {
    /// The generation of the spec that the conditions describe; -1 before the first report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The version that the server reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `Ready`: the admin API answers. `AccessOverlaps`, present only while true: two namespaces may reach one set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}
