//! Where public halves are published.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One object that holds the public halves of the set, in the namespace of the resource: exactly one of `configMap` and `secret`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.configMap), has(self.secret)].filter(x, x).size() == 1").message("a target is exactly one of configMap, secret"))]
pub struct PublishTarget {
    /// A ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapTarget>,
    /// A Secret, for readers that take nothing else. It holds public halves too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretTarget>,
    /// Labels of the object.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16, "additionalProperties" = { "type": "string", "maxLength": 63 }))]
    #[x_kube(validation = Rule::new("self.all(k, size(k) <= 317 && !k.matches('(^|[.])(kubernetes[.]io|k8s[.]io|helm[.]sh|argoproj[.]io|fluxcd[.]io|jwk-operator[.]dev)/'))")
        .message("labels of Kubernetes, Helm, Argo CD, Flux and this operator are not yours to set on a target"))]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the object.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16, "additionalProperties" = { "type": "string", "maxLength": 1024 }))]
    #[x_kube(validation = Rule::new("self.all(k, size(k) <= 317 && !k.matches('(^|[.])(kubernetes[.]io|k8s[.]io|helm[.]sh|argoproj[.]io|fluxcd[.]io|jwk-operator[.]dev)/'))")
        .message("annotations of Kubernetes, Helm, Argo CD, Flux and this operator are not yours to set on a target"))]
    pub annotations: BTreeMap<String, String>,
}

/// A ConfigMap target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigMapTarget {
    /// The name of the ConfigMap. The operator creates it and refuses one that it did not create.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
    /// The data key. Absent: `jwks.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: Option<String>,
}

/// A Secret target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("!has(self.layout) || has(self.content) && self.content == 'Private'")
    .message("layout says how private keys are laid out: it needs content: Private"))]
pub struct SecretTarget {
    /// The name of the Secret. The operator creates it and refuses one that it did not create.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
    /// The data key. Absent: `jwks.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: Option<String>,
    /// The type of the Secret, for example `nginx.org/jwk`. Absent: `Opaque`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("!self.matches('(^|[.])(kubernetes[.]io|k8s[.]io|helm[.]sh|argoproj[.]io|fluxcd[.]io|jwk-operator[.]dev)/')")
        .message(kube::core::Message::Expression(
            "'type ' + self + ' has a meaning to the cluster; use Opaque or the type of a gateway, for example nginx.org/jwk'".into())))]
    pub secret_type: Option<String>,
    /// `Public` (the default), or `Private`: the private keys too. Only where the AdminApi grants it with `privateExport`; without the grant
    /// the Secret is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<TargetContentKind>,
    /// The order of the keys in a Secret with private ones. Absent: `JWKS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<PrivateLayout>,
}

/// Which halves of the keys a target holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TargetContentKind {
    /// The public halves.
    Public,
    /// The private keys, and the public halves of the others.
    Private,
}

/// How the keys are laid out in a Secret with private ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PrivateLayout {
    /// The signer first, then the other private keys, then the public halves of the rest. For readers that sign with the first.
    #[default]
    #[serde(rename = "JWKS")]
    Jwks,
    /// For the `id_token` mutator of Ory Oathkeeper, which signs with the last private key that it meets before the first public one, and
    /// names the first public one as its kid: the signer, its public half, then the public halves of the rest.
    Oathkeeper,
}
