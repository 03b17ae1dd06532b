//! What is kept of the metadata of objects that are read.
//!
//! `kubectl apply` writes the whole object into an annotation, so that the one of a Secret holds its keys. Nothing here needs the annotations of
//! others, so they are overwritten as soon as the object is there.

use kube::core::ObjectMeta;
use zeroize::Zeroize as _;

use crate::{api::LAST_APPLIED_ANNOTATION, lifecycle::Uid};

/// Keeps what an object is recognised by: its name, its version, who controls it. For Secrets and ConfigMaps.
pub(in crate::operator) fn keep_identity(metadata: &mut ObjectMeta) {
    metadata.labels.iter_mut().flatten().for_each(|(_, value)| value.zeroize());
    keep_labels(metadata);
    metadata.labels = None;
}

/// Keeps the labels as well. For namespaces, which are chosen by them.
pub(in crate::operator) fn keep_labels(metadata: &mut ObjectMeta) {
    overwrite_annotations(metadata);
    metadata.managed_fields = None;
}

/// Takes the annotations out, and overwrites what they were.
pub(in crate::operator) fn overwrite_annotations(metadata: &mut ObjectMeta) {
    metadata.annotations.iter_mut().flatten().for_each(|(_, value)| value.zeroize());
    metadata.annotations = None;
}

/// Keeps what people write on a resource of the operator's own kinds, but what tools keep there for themselves.
pub(in crate::operator) fn keep_own(metadata: &mut ObjectMeta) {
    if let Some(mut applied) = metadata.annotations.as_mut().and_then(|annotations| annotations.remove(LAST_APPLIED_ANNOTATION)) {
        applied.zeroize();
    }
    metadata.managed_fields = None;
}

/// Whether the controller of an object is the resource with this UID. The name alone proves nothing: a resource may be deleted and made again.
pub(in crate::operator) fn is_controlled_by(metadata: &ObjectMeta, owner: &Uid) -> bool {
    !owner.is_empty() && controller(metadata) == Some(owner.as_str())
}

/// The UID of the controller of an object.
pub(in crate::operator) fn controller_uid(metadata: &ObjectMeta) -> Option<Uid> {
    controller(metadata).map(Uid::from)
}

fn controller(metadata: &ObjectMeta) -> Option<&str> {
    metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

    use super::*;
    use crate::api::ROTATE_AT_ANNOTATION;

    const KEY: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";

    fn metadata() -> ObjectMeta {
        let named = |names: &[&str]| Some(names.iter().map(|name| ((*name).to_owned(), KEY.to_owned())).collect::<BTreeMap<_, _>>());
        ObjectMeta {
            name: Some("jwks".into()),
            resource_version: Some("7".into()),
            owner_references: Some(vec![OwnerReference { uid: "1-2-3".into(), controller: Some(true), ..OwnerReference::default() }]),
            labels: named(&["team", "app.kubernetes.io/managed-by"]),
            annotations: named(&[LAST_APPLIED_ANNOTATION, "note", ROTATE_AT_ANNOTATION]),
            managed_fields: Some(Vec::new()),
            ..ObjectMeta::default()
        }
    }

    #[test]
    fn of_secrets_and_config_maps_no_value_of_others_is_kept() {
        let mut kept = metadata();
        keep_identity(&mut kept);
        assert!(!format!("{kept:?}").contains(KEY), "{kept:?}");
        assert_eq!((kept.name.as_deref(), kept.resource_version.as_deref()), (Some("jwks"), Some("7")));
        assert_eq!(controller_uid(&kept), Some("1-2-3".into()));
    }

    #[test]
    fn of_namespaces_the_labels_are_kept() {
        let mut kept = metadata();
        keep_labels(&mut kept);
        assert_eq!((kept.labels, kept.annotations), (metadata().labels, None));
    }

    #[test]
    fn of_resources_what_kubectl_applied_is_not_kept() {
        let mut kept = metadata();
        keep_own(&mut kept);
        let names: Vec<_> = kept.annotations.iter().flatten().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, [ROTATE_AT_ANNOTATION, "note"]);
        assert_eq!((kept.labels, kept.managed_fields), (metadata().labels, None));
    }
}
