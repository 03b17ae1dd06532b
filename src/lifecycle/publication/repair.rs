//! What to do when somebody else changed a target of a set that is as planned: decided without a look at the set.

use super::{
    target::{HeldTarget, TargetState, TargetStep},
    target_id::TargetId,
};
use crate::api::TargetKind;

/// What an edited target needs.
#[derive(Clone, Debug)]
pub enum Repair {
    /// It holds what it should.
    Nothing,
    /// This write puts back what it held.
    Write(TargetStep),
    /// More has to be known first: the set, and what the spec asks for.
    Pass,
}

/// What target `id` needs that was found as `found`, and held `kept` when the set was last as planned. `kept` is `None` if it held nothing.
///
/// The content of a Secret is not remembered, so that only a pass can put it back. An object of somebody else, and one that cannot be read, is
/// for a pass to report.
pub fn repair(id: &TargetId, kept: Option<&HeldTarget>, found: &TargetState) -> Repair {
    let is_remembered = |kept: &&HeldTarget| id.kind == TargetKind::ConfigMap && !kept.content.may_be_private();
    let Some(wanted) = kept.filter(is_remembered).map(|kept| kept.content.own_part()) else { return Repair::Pass };
    let write = |replaces: Option<&HeldTarget>| {
        let (content, replaces) = (Box::new(wanted.clone()), replaces.cloned().map(Box::new));
        Repair::Write(TargetStep::Write { id: id.clone(), content, replaces })
    };
    match found {
        TargetState::Absent => write(None),
        // Another object has to take the place of one that is immutable: a pass looks first.
        TargetState::Held(held) if !held.can_become(&wanted) => Repair::Pass,
        TargetState::Held(held) if held.content.differs_from(&wanted) => write(Some(held)),
        TargetState::Held(_) => Repair::Nothing,
        TargetState::Foreign | TargetState::Failed { .. } => Repair::Pass,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::lifecycle::{Document, TargetContent, TargetFailure};

    fn id(kind: TargetKind) -> TargetId {
        TargetId { kind, namespace: "shop".to_owned(), name: "keys".to_owned() }
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// As the operator wrote it, with a label of somebody else.
    fn kept() -> HeldTarget {
        let content = TargetContent {
            data: BTreeMap::from([("jwks.json".to_owned(), Document::read(r#"{"keys":[]}"#))]),
            labels: map(&[("app.kubernetes.io/managed-by", "jwk-operator"), ("app", "shop"), ("theirs", "1")]),
            annotations: map(&[("jwk-operator.dev/managed-metadata", "app,note"), ("note", "ours"), ("theirs", "2")]),
            ..TargetContent::default()
        };
        HeldTarget { uid: "uid".into(), resource_version: "1".to_owned(), is_immutable: false, content }
    }

    fn found(change: impl FnOnce(&mut TargetContent)) -> TargetState {
        let mut held = kept();
        held.resource_version = "2".to_owned();
        change(&mut held.content);
        TargetState::Held(held)
    }

    fn written(found: &TargetState) -> (TargetContent, bool) {
        match repair(&id(TargetKind::ConfigMap), Some(&kept()), found) {
            Repair::Write(TargetStep::Write { content, replaces, .. }) => (*content, replaces.is_some()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_the_operator_wrote_is_put_back_and_nothing_else() {
        let edits: [fn(&mut TargetContent); 5] = [
            |content| content.data.clear(),
            |content| _ = content.data.insert("jwks.json".to_owned(), Document::read("{}")),
            |content| _ = content.data.insert("more".to_owned(), Document::read("{}")),
            |content| _ = content.labels.remove("app"),
            |content| _ = content.annotations.insert("note".to_owned(), "theirs".to_owned()),
        ];
        for edit in edits {
            let (content, is_replacement) = written(&found(edit));
            assert!(is_replacement);
            assert_eq!(content.data, kept().content.data);
            assert!(!content.labels.contains_key("theirs") && !content.annotations.contains_key("theirs"));
            assert_eq!(content.labels.get("app").map(String::as_str), Some("shop"));
        }
        assert!(!written(&TargetState::Absent).1, "one that is gone is created");
    }

    #[test]
    fn what_others_add_or_take_back_of_their_own_is_theirs() {
        let edits: [fn(&mut TargetContent); 3] = [
            |content| _ = content.labels.remove("theirs"),
            |content| _ = content.annotations.insert("more".to_owned(), "1".to_owned()),
            |_| {},
        ];
        for edit in edits {
            assert!(matches!(repair(&id(TargetKind::ConfigMap), Some(&kept()), &found(edit)), Repair::Nothing));
        }
    }

    #[test]
    fn what_cannot_be_put_back_from_memory_needs_a_pass() {
        let unknown =
            [TargetState::Foreign, TargetState::Failed { why: TargetFailure { message: String::new(), stalled: false }, last: None }];
        for state in unknown {
            assert!(matches!(repair(&id(TargetKind::ConfigMap), Some(&kept()), &state), Repair::Pass));
        }
        assert!(matches!(repair(&id(TargetKind::ConfigMap), None, &TargetState::Absent), Repair::Pass));
        assert!(matches!(repair(&id(TargetKind::Secret), Some(&kept()), &TargetState::Absent), Repair::Pass));
    }
}
