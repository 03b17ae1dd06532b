//! Where public halves are published.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One object that holds the public halves of the set, in the namespace of the resource: exactly one of `configMap` and `secret`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.configMap), has(self.secret)].filter(x, x).size() == 1").message("a target must have exactly one of configMap and secret"))]
pub struct PublishTarget {
    /// A ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapTarget>,
    /// A Secret, for readers that accept nothing else. It holds public halves as well, unless `content` is `Private`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretTarget>,
    /// Labels of the object.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16, "additionalProperties" = { "type": "string", "maxLength": 63 }))]
    #[x_kube(validation = Rule::new("self.all(k, size(k) <= 317 && !k.matches('(^|[.])(kubernetes[.]io|k8s[.]io|helm[.]sh|argoproj[.]io|fluxcd[.]io|jwk-operator[.]dev)/'))")
        .message("labels must not use the prefixes of Kubernetes, Helm, Argo CD, Flux or this operator"))]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the object.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16, "additionalProperties" = { "type": "string", "maxLength": 1024 }))]
    #[x_kube(validation = Rule::new("self.all(k, size(k) <= 317 && !k.matches('(^|[.])(kubernetes[.]io|k8s[.]io|helm[.]sh|argoproj[.]io|fluxcd[.]io|jwk-operator[.]dev)/'))")
        .message("annotations must not use the prefixes of Kubernetes, Helm, Argo CD, Flux or this operator"))]
    pub annotations: BTreeMap<String, String>,
}

/// A ConfigMap target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigMapTarget {
    /// The name of the ConfigMap. The operator creates it, and does not touch one that it did not create.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
    /// The data key. Defaults to `jwks.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: Option<String>,
}

/// A Secret target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("!has(self.layout) || has(self.content) && self.content == 'Private'")
    .message("layout requires content: Private, since it is the order of private keys"))]
pub struct SecretTarget {
    /// The name of the Secret. The operator creates it, and does not touch one that it did not create.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
    /// The data key. Defaults to `jwks.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: Option<String>,
    /// The type of the Secret, for example `nginx.org/jwk`. Defaults to `Opaque`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("!self.matches('(^|[.])(kubernetes[.]io|k8s[.]io|helm[.]sh|argoproj[.]io|fluxcd[.]io|jwk-operator[.]dev)/')")
        .message(kube::core::Message::Expression(
            "'type ' + self + ' is reserved by the cluster; use Opaque or the type of a gateway, for example nginx.org/jwk'".into())))]
    pub secret_type: Option<String>,
    /// `Public` (the default), or `Private`: also the private keys. `Private` requires a rule of the AdminApi with `privateExport: true`; without
    /// it the Secret is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<TargetContentKind>,
    /// The order of the keys in a Secret with private keys. Defaults to `JWKS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<PrivateLayout>,
}

/// Which halves of the keys the Secret holds: `Public` (the default), the public halves, or `Private`, also the private keys. `Private`
/// requires a rule of the AdminApi with `privateExport: true`; without it the Secret is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TargetContentKind {
    /// The public halves.
    Public,
    /// The private keys, and the public halves of the others.
    Private,
}

/// The order of the keys in a Secret with private keys. `JWKS` (the default): the signer first, then the other private keys, then the public
/// halves of the rest. `Oathkeeper`: the signer, its public half, then the public halves of the rest, for the `id_token` mutator of Ory
/// Oathkeeper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PrivateLayout {
    /// The signer first, then the other private keys, then the public halves of the rest. For readers that sign with the first.
    #[default]
    #[serde(rename = "JWKS")]
    Jwks,
    /// For the `id_token` mutator of Ory Oathkeeper: the signer, its public half, then the public halves of the rest. It signs with the last
    /// private key before the first public one, and writes the kid of the first public one into its tokens.
    Oathkeeper,
}
