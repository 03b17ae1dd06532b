//! The credentials that an AdminApi names, and how its server is verified. The Secrets and ConfigMaps that hold them are in the operator's own
//! namespace and carry the label `jwk-operator.dev/admin-api`.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The credentials of the admin API: at most one of its members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.bearerToken), has(self.basic), has(self.header), has(self.clientCredentials)].filter(x, x).size() == 1")
    .message("auth must have exactly one of bearerToken, basic, header and clientCredentials; remove auth to send no credentials"))]
pub struct Authentication {
    /// `Authorization: Bearer` (RFC 6750), as Ory Network requires it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_token: Option<BearerToken>,
    /// `Authorization: Basic` (RFC 7617).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<Basic>,
    /// A header with a name of your choice, as gateways use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<Header>,
    /// An access token from an OAuth 2.0 server, by the client credentials grant (RFC 6749 section 4.4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_credentials: Option<ClientCredentials>,
}

/// A bearer token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BearerToken {
    /// The Secret that holds the token. `key` defaults to `token`.
    pub secret_ref: SecretKeyRef,
}

/// A user and a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Basic {
    /// The Secret, with the data keys `username` and `password`, as in the type `kubernetes.io/basic-auth`.
    pub secret_ref: SecretRef,
}

/// A header with a secret value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// The name of the header.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9-]+$') && !(self.lowerAscii() in ['host','content-length','content-type','transfer-encoding','connection','te','upgrade','expect','x-forwarded-proto','accept-encoding'])")
        .message("header.name must consist of letters, digits and -, and must not be a header that HTTP itself uses"))]
    pub name: String,
    /// The Secret that holds the value. `key` defaults to `value`.
    pub secret_ref: SecretKeyRef,
}

/// The client credentials grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientCredentials {
    /// The URL of the token endpoint.
    #[schemars(length(max = 512))]
    #[x_kube(validation = Rule::new("isURL(self) && url(self).getScheme() == 'https' && url(self).getHost() != '' && !self.contains('@') && !self.contains('#')")
        .message("tokenUrl must be an https URL without credentials and without a fragment"))]
    pub token_url: String,
    /// The Secret, with the data keys `client_id` and `client_secret`.
    pub secret_ref: SecretRef,
    /// The scopes to request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 255), regex(pattern = r"^[!#-\[\]-~]+$")), extend("x-kubernetes-list-type" = "set"))]
    pub scopes: Vec<String>,
    /// The audience to request, if the server requires one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub audience: Option<String>,
}

/// A Secret in the operator's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretRef {
    /// The name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
}

/// One value of a Secret in the operator's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretKeyRef {
    /// The name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
    /// The data key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub key: Option<String>,
}

/// TLS: how the server is verified and the client identified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// The CA certificates that the server is verified with, as PEM. Defaults to those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_ref: Option<CaRef>,
    /// The Secret with the client certificate, of the type `kubernetes.io/tls`: data keys `tls.crt` and `tls.key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate_secret_ref: Option<SecretRef>,
}

/// One value of a ConfigMap or Secret in the operator's own namespace, with the label `jwk-operator.dev/admin-api`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CaRef {
    /// The kind of the object.
    pub kind: CaRefKind,
    /// The name of the object.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
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
