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
    /// The namespaces.
    pub namespaces: Namespaces,
    /// Patterns of set ids, without `setPrefix`: an id in which `{namespace}` may stand as a whole segment between `.` or `:`, and which may
    /// end in `.*` or `:*`. Case makes no difference. Hydra's own sets are granted by their full names only.
    #[schemars(length(min = 1, max = 32), schema_with = "set_patterns")]
    pub sets: Vec<String>,
    /// `Enforce` (the default), or `Observe`: the sets may be read and published, and never written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Whether the private keys of these sets may be written into Secrets of these namespaces. Absent: `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_export: Option<bool>,
}

/// Namespaces: exactly one of `names`, `selector` and `all`.
///
/// Nothing here means everybody but the word `all`: the API server drops a member that it does not know, and what was meant as a narrower
/// choice must not become every namespace by a slip of the pen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("[has(self.names), has(self.selector), has(self.all)].filter(x, x).size() == 1")
    .message("namespaces is exactly one of names, selector and all; every namespace is written all: true"))]
pub struct Namespaces {
    /// The names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), extend("x-kubernetes-list-type" = "set"), inner(length(max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")))]
    pub names: Option<Vec<String>>,
    /// The labels of the namespaces. Whoever may label a namespace decides what it may reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<NamespaceSelector>,
    /// `true`: every namespace, those of the future included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self").message("all is true or absent"))]
    pub all: Option<bool>,
}

/// A label selector, with what Kubernetes means by it. All of it must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.matchLabels) && size(self.matchLabels) > 0 || has(self.matchExpressions) && size(self.matchExpressions) > 0")
    .message("an empty selector would be every namespace: write matchLabels or matchExpressions, or all: true in the place of selector"))]
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
    .message("values belongs to the operators In and NotIn, which need some"))]
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
