//! Which namespaces may use which sets of an AdminApi.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Mode;

/// One grant: these namespaces may use these sets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessRule {
    /// The namespaces: exactly one of `names`, `selector` and `all`.
    pub namespaces: Namespaces,
    /// Patterns of set ids, without `setPrefix`. A pattern is an id in which `{namespace}` may be a whole segment between `.` or `:`, and which
    /// may end in `.*` or `:*`. Case is ignored. Hydra's own sets are granted by their full names only.
    #[schemars(length(min = 1, max = 32), schema_with = "set_patterns")]
    pub sets: Vec<String>,
    /// `Enforce` (the default), or `Observe`: the sets may be read and published, but never written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Whether the private keys of these sets may be written into Secrets of these namespaces. Defaults to `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_export: Option<bool>,
}

/// Namespaces: exactly one of `names`, `selector` and `all`.
///
/// Nothing but `all` selects every namespace: the API server drops members that it does not know, and a narrower choice with a typing error
/// must not become every namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("[has(self.names), has(self.selector), has(self.all)].filter(x, x).size() == 1")
    .message("namespaces must have exactly one of names, selector and all; write all: true for every namespace"))]
pub struct Namespaces {
    /// The names of the namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), extend("x-kubernetes-list-type" = "set"), inner(length(max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")))]
    pub names: Option<Vec<String>>,
    /// Selects namespaces by their labels. Whoever may label a namespace decides which sets it may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<NamespaceSelector>,
    /// `true`: every namespace, including future ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self").message("all must be true or absent"))]
    pub all: Option<bool>,
}

/// A label selector with the semantics of Kubernetes. All of its requirements must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.matchLabels) && size(self.matchLabels) > 0 || has(self.matchExpressions) && size(self.matchExpressions) > 0")
    .message("selector must not be empty, since it would select every namespace: write matchLabels or matchExpressions, or all: true instead of selector"))]
pub struct NamespaceSelector {
    /// Labels and their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16, "additionalProperties" = { "type": "string", "maxLength": 63 }))]
    pub match_labels: BTreeMap<String, String>,
    /// Conditions on labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub match_expressions: Vec<LabelExpression>,
}

/// A condition on one label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 : !has(self.values) || size(self.values) == 0")
    .message("values must not be empty with the operators In and NotIn, and must be absent with Exists and DoesNotExist"))]
pub struct LabelExpression {
    /// The label.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// What must hold for it.
    pub operator: LabelOperator,
    /// The values of `In` and `NotIn`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63)), extend("x-kubernetes-list-type" = "set"))]
    pub values: Vec<String>,
}

/// What must hold for a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LabelOperator {
    /// Its value is one of `values`.
    In,
    /// It is absent, or its value is none of `values`.
    NotIn,
    /// It is there.
    Exists,
    /// It is absent.
    DoesNotExist,
}

/// The schema of `sets`, by hand because the rules apply to the items of a list.
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
                    "messageExpression": "'\"' + self + '\" must be a set id in which {namespace} may be a whole segment between . or :, and which may end in .* or :*; there are no other wildcards'"
                },
                {
                    "rule": "!self.endsWith('*') || !(self.lowerAscii().startsWith('hydra.'))",
                    "message": "hydra.* is refused: list each of Hydra's own sets by its full name"
                }
            ]
        }
    })
}
