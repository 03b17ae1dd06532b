//! Where public halves are published.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

/// One object that holds the public halves of the set, in the namespace of the resource: exactly one of `configMap` and `secret`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.configMap), has(self.secret)].filter(x, x).size() == 1").message("a target must have exactly one of configMap and secret"))]
#[x_kube(validation = Rule::new("!has(self.form) || !has(self.secret) || !has(self.secret.content) || self.secret.content != 'Private'")
    .message("form is the form of public halves: with content: Private, write secret.layout instead"))]
#[x_kube(validation = Rule::new("!has(self.form) || self.form != 'PEMPerKey' || !(has(self.configMap) && has(self.configMap.key)) && !(has(self.secret) && has(self.secret.key))")
    .message("form PEMPerKey has a data key for each kid: remove key"))]
pub struct PublishTarget {
    /// A ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapTarget>,
    /// A Secret, for readers that accept nothing else. It holds public halves as well, unless `content` is `Private`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretTarget>,
    /// The form of the public halves. `JWKS` (the default): a JWK Set. `PEM`: all keys, the signer first. `PEMSigner`: the signer only. `PEMPerKey`:
    /// a data key for each kid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<PublicForm>,
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

/// The form of public halves. `JWKS` (the default): a JWK Set (RFC 7517 section 5). In PEM each key is a SubjectPublicKeyInfo (RFC 7468 section
/// 13), without kid, alg and use; keys for encryption are left out. `PEM`: all keys, the signer first. `PEMSigner`: the signer only. A reader of it
/// rejects what the next signer signs until it reads again. `PEMPerKey`: a data key for each kid, in which every character but letters, digits, `_`
/// and `-` is replaced by `_`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, IntoStaticStr, Serialize, Deserialize, JsonSchema)]
pub enum PublicForm {
    /// A JWK Set.
    #[default]
    #[serde(rename = "JWKS")]
    #[strum(serialize = "JWKS")]
    Jwks,
    /// All keys as PEM, the signer first.
    #[serde(rename = "PEM")]
    #[strum(serialize = "PEM")]
    Pem,
    /// The signer as PEM.
    #[serde(rename = "PEMSigner")]
    #[strum(serialize = "PEMSigner")]
    PemSigner,
    /// Each key as PEM under a data key of its own.
    #[serde(rename = "PEMPerKey")]
    #[strum(serialize = "PEMPerKey")]
    PemPerKey,
}

impl PublicForm {
    /// Its name in a spec.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The data key of a target that names none. `PEMPerKey` has one for each kid instead.
    pub fn default_data_key(self) -> &'static str {
        match self {
            Self::Jwks => "jwks.json",
            Self::Pem | Self::PemPerKey => "keys.pem",
            Self::PemSigner => "signer.pem",
        }
    }
}

/// A ConfigMap target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigMapTarget {
    /// The name of the ConfigMap. The operator creates it, and does not touch one that it did not create.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
    /// The data key. Defaults to `jwks.json`, with form `PEM` to `keys.pem`, with form `PEMSigner` to `signer.pem`.
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
    /// The data key. Defaults to `jwks.json`, with form `PEM` to `keys.pem`, with form `PEMSigner` to `signer.pem`.
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
/// Oathkeeper. `Array`: a JSON array of the signer and the public halves of the rest, with `key_ops`, for `GOTRUE_JWT_KEYS` of Supabase Auth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PrivateLayout {
    /// The signer first, then the other private keys, then the public halves of the rest. For readers that sign with the first.
    #[default]
    #[serde(rename = "JWKS")]
    Jwks,
    /// For the `id_token` mutator of Ory Oathkeeper: the signer, its public half, then the public halves of the rest. It signs with the last
    /// private key before the first public one, and writes the kid of the first public one into its tokens.
    Oathkeeper,
    /// For `GOTRUE_JWT_KEYS` of Supabase Auth (GoTrue): a JSON array of the signer with `key_ops` `sign` and `verify`, then the public halves of the
    /// rest with `verify`. It wants exactly one key that signs, and takes every key for one that checks signatures, so that keys for encryption are
    /// left out.
    Array,
}
