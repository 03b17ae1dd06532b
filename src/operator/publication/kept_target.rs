//! A target as it is remembered between passes.

use std::collections::BTreeMap;

use crate::lifecycle::{Document, HeldTarget, TargetContent, Uid};

/// What [`HeldTarget`] is, in lists: each node of a map has room for eleven, and a target has one or two of everything. Of thousands of sets at
/// rest this is the difference of more than a kilobyte each.
pub(in crate::operator) struct KeptTarget {
    uid: Uid,
    resource_version: Box<str>,
    is_immutable: bool,
    data: Box<[(String, Document)]>,
    secret_type: Option<String>,
    labels: Box<[(String, String)]>,
    annotations: Box<[(String, String)]>,
}

impl KeptTarget {
    /// Whether it is this version of this object.
    pub(in crate::operator) fn is(&self, uid: &Uid, resource_version: &str) -> bool {
        self.uid == *uid && &*self.resource_version == resource_version
    }
}

impl From<HeldTarget> for KeptTarget {
    fn from(held: HeldTarget) -> Self {
        let TargetContent { data, secret_type, labels, annotations } = held.content;
        Self {
            uid: held.uid,
            resource_version: held.resource_version.into(),
            is_immutable: held.is_immutable,
            data: data.into_iter().collect(),
            secret_type,
            labels: labels.into_iter().collect(),
            annotations: annotations.into_iter().collect(),
        }
    }
}

impl From<&KeptTarget> for HeldTarget {
    fn from(kept: &KeptTarget) -> Self {
        let map = |list: &[(String, String)]| list.iter().cloned().collect::<BTreeMap<_, _>>();
        let content = TargetContent {
            data: kept.data.iter().cloned().collect(),
            secret_type: kept.secret_type.clone(),
            labels: map(&kept.labels),
            annotations: map(&kept.annotations),
        };
        Self { uid: kept.uid.clone(), resource_version: kept.resource_version.to_string(), is_immutable: kept.is_immutable, content }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost() {
        let names = |value: &str| BTreeMap::from([("a".to_owned(), value.to_owned()), ("b".to_owned(), value.to_owned())]);
        let content = TargetContent {
            data: BTreeMap::from([
                ("jwks.json".to_owned(), Document::read(r#"{"keys":[]}"#)),
                ("other".to_owned(), Document::read_secret(b"?")),
            ]),
            secret_type: Some("Opaque".to_owned()),
            labels: names("label"),
            annotations: names("annotation"),
        };
        let held = HeldTarget { uid: "uid".into(), resource_version: "7".to_owned(), is_immutable: true, content };
        let kept = KeptTarget::from(held.clone());
        assert!(kept.is(&"uid".into(), "7") && !kept.is(&"uid".into(), "8") && !kept.is(&"other".into(), "7"));
        assert_eq!(HeldTarget::from(&kept), held);
    }
}
