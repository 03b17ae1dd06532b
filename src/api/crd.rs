//! The CustomResourceDefinitions, generated from the Rust types.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;
use serde_json::{Value, json};

use super::{AdminApi, JsonWebKeySet};

/// Both definitions, ready to be applied.
///
/// # Errors
/// If a generated schema is no definition any more: a defect that the tests find.
pub fn crds() -> serde_json::Result<Vec<CustomResourceDefinition>> {
    [AdminApi::crd(), JsonWebKeySet::crd()].into_iter().map(finish).collect()
}

/// Both definitions as YAML documents, as `crds/` holds them.
///
/// # Errors
/// As [`crds`].
pub fn crds_yaml() -> anyhow::Result<Vec<(String, String)>> {
    crds()?
        .into_iter()
        .map(|crd| {
            let name = crd.spec.names.plural.clone();
            Ok((format!("{name}.yaml"), serde_saphyr::to_string(&serde_json::to_value(crd)?)?))
        })
        .collect()
}

/// What the derive cannot say: the default of the status, so that a fresh resource is never taken for a current one, and no `nullable`, since
/// an explicit null is a mistake and not an absence.
fn finish(crd: CustomResourceDefinition) -> serde_json::Result<CustomResourceDefinition> {
    let mut value = serde_json::to_value(crd)?;
    remove_nullable(&mut value);
    if let Some(versions) = value.pointer_mut("/spec/versions").and_then(Value::as_array_mut) {
        for version in versions {
            if let Some(status) = version.pointer_mut("/schema/openAPIV3Schema/properties/status") {
                status["default"] = json!({ "observedGeneration": -1 });
            }
        }
    }
    serde_json::from_value(value)
}

fn remove_nullable(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.get("nullable") == Some(&Value::Bool(true)) {
                members.remove("nullable");
            }
            members.iter_mut().for_each(|(_, member)| remove_nullable(member));
        }
        Value::Array(values) => values.iter_mut().for_each(remove_nullable),
        _ => {}
    }
}
