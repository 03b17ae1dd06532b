//! What is worth an event: steps, in the words of the events.

use crate::api::Reason;
use crate::jwk::Kid;
use crate::lifecycle::{
    answer::Answer,
    publication::TargetStep,
    set_id::SetId,
    step::{CreateCause, DeleteCause, Place, PutCause, Step},
};

/// Something that happened to a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The reason of the event.
    pub reason: Reason,
    /// What it happened to: kids.
    pub kids: Vec<Kid>,
}

impl Notice {
    /// The sentence of the event.
    pub fn sentence(&self, set: &SetId) -> String {
        let kids = self.kids.iter().map(Kid::as_str).collect::<Vec<_>>().join(", ");
        match self.reason {
            Reason::KeyGenerated => format!("Generated {kids} in set {set}"),
            Reason::KeyStaged => format!("Made {kids} outside of set {set}: it is announced before it signs"),
            Reason::KeyAnnounced => format!("Announced {kids} in set {set}: the public half is published before the key signs"),
            Reason::KeyActivated => format!("Put the private half of {kids} into set {set}: the key can sign from now on"),
            Reason::KeyRevoked => format!("Revoked {kids}: removed from set {set} and from every target"),
            Reason::UnmanagedKeysLeave => {
                format!(
                    "Keys that belong to no entry will leave set {set}, because unmanagedKeys is Delete: {kids}; the public halves stay for 48 hours"
                )
            }
            Reason::KeyStored => format!("Stored {kids} in set {set}"),
            Reason::KeyRetired => format!("Retired {kids} in set {set}: the public half stays"),
            Reason::KeyRemoved => format!("Removed {kids} from set {set}"),
            Reason::DriftRepaired => format!("Set {set} was changed by somebody else: repaired with {kids}"),
            Reason::SignerRestored => format!("Made {kids} the signer of set {set} again: another private key came first"),
            Reason::PrivateKeysExported => format!("Wrote private keys of set {set} into a Secret, which the AdminApi grants: {kids}"),
            Reason::SetDeleted => format!("Deleted set {set} with its resource"),
            Reason::SetRetained => format!("Left set {set} as it is: its resource was deleted with the policy Retain"),
            Reason::SetOrphaned => format!(
                "Left set {set} as it is: its resource was deleted while the watch was interrupted, and its finalizer may have been removed on purpose. Delete the set by hand if nobody needs it"
            ),
            Reason::SetConflict => format!("Left set {set} as it is: another resource owns it"),
            Reason::AccessDenied => format!("Left set {set} as it is: the AdminApi does not grant it to this namespace"),
            reason => format!("{} in set {set}: {kids}", reason.as_str()),
        }
    }
}

/// The notice of a step that was answered so; `None` if it was not carried out, and for steps that only prepare another.
pub fn notice(step: &Step, answer: &Answer) -> Option<Notice> {
    if !answer.carries_out(step) {
        return None;
    }
    let (reason, kids) = match step {
        Step::CreateKey { kid, cause, place, .. } | Step::CreateSymmetricKey { kid, cause, place, .. } => match (cause, place) {
            (CreateCause::Lost, _) => (Reason::DriftRepaired, vec![kid.clone()]),
            (_, Place::Staged) => (Reason::KeyStaged, vec![kid.clone()]),
            (_, Place::Live) => (Reason::KeyGenerated, vec![kid.clone()]),
        },
        Step::PutKey { key, cause } => (reason_of(*cause), key.kid().map(Kid::from).into_iter().collect()),
        Step::ImportKey { key, cause, .. } => (reason_of(*cause), vec![key.kid.clone()]),
        Step::DeleteKey { kid, cause: DeleteCause::Expired, .. } => (Reason::KeyRemoved, vec![kid.clone()]),
        Step::DeleteKey { kid, cause: DeleteCause::Revoked, .. } => (Reason::KeyRevoked, vec![kid.clone()]),
        Step::TellUnmanagedLeave { kids } => (Reason::UnmanagedKeysLeave, kids.clone()),
        Step::Target(TargetStep::Write { content, replaces, .. })
            if content.is_private() && !replaces.as_ref().is_some_and(|replaced| replaced.content.is_private()) =>
        {
            (Reason::PrivateKeysExported, content.private_kids())
        }
        Step::DeleteSet => (Reason::SetDeleted, Vec::new()),
        Step::RemoveFinalizer { retained: true } => (Reason::SetRetained, Vec::new()),
        Step::DeleteKey { cause: DeleteCause::ResourceDeleted | DeleteCause::Leftover, .. }
        | Step::RemoveFinalizer { retained: false }
        | Step::AddFinalizer
        | Step::StoreRecord(_)
        | Step::ReadLive
        | Step::ReadStaged
        | Step::Wait { .. }
        | Step::Target(_) => return None,
    };
    Some(Notice { reason, kids })
}

fn reason_of(cause: PutCause) -> Reason {
    match cause {
        PutCause::Supplied => Reason::KeyStored,
        PutCause::Announced => Reason::KeyAnnounced,
        PutCause::Activated => Reason::KeyActivated,
        PutCause::Signer => Reason::SignerRestored,
        PutCause::Retired => Reason::KeyRetired,
        PutCause::Drift => Reason::DriftRepaired,
    }
}

/// Adds a notice to those of the same pass: one event for each reason, with all its kids.
pub fn add_notice(notices: &mut Vec<Notice>, new: Notice) {
    match notices.iter_mut().find(|notice| notice.reason == new.reason) {
        Some(notice) => notice.kids.extend(new.kids.into_iter().filter(|kid| !notice.kids.contains(kid)).collect::<Vec<_>>()),
        None => notices.push(new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::TargetKind,
        jwk::Jwk,
        lifecycle::{PutCause, TargetFailure, TargetId, TargetState},
    };

    fn reason(step: &Step, answer: &Answer) -> Option<Reason> {
        notice(step, answer).map(|notice| notice.reason)
    }

    #[test]
    fn only_what_was_carried_out_is_announced() {
        let key: Jwk = serde_json::from_str(r#"{ "kty": "oct", "kid": "a", "k": "c2VjcmV0" }"#).expect("a key");
        let put = Step::PutKey { key: Box::new(key), cause: PutCause::Activated };
        assert_eq!(reason(&put, &Answer::Done), Some(Reason::KeyActivated));
        for answer in [Answer::Conflict, Answer::Waited, Answer::Refused { message: String::new() }] {
            assert_eq!(reason(&put, &answer), None, "{answer:?}");
        }

        let id = TargetId { kind: TargetKind::Secret, namespace: "shop".to_owned(), name: "keys".to_owned() };
        let why = TargetFailure { message: String::new(), stalled: false };
        let removal = Step::RemoveFinalizer { retained: true };
        assert_eq!(reason(&removal, &Answer::Done), Some(Reason::SetRetained));
        for state in [TargetState::Foreign, TargetState::Failed { why, last: None }] {
            let write = Step::Target(TargetStep::Remove { id: id.clone(), uid: "uid".into() });
            assert!(!Answer::Target(state).carries_out(&write));
        }
    }

    #[test]
    fn a_kid_that_exists_already_answers_an_earlier_request() {
        let (alg, key_use) = (crate::api::Algorithm::ES256, crate::api::KeyUse::Sig);
        let create = Step::CreateKey { place: Place::Live, kid: "a".into(), alg, key_use, cause: CreateCause::New };
        assert_eq!(reason(&create, &Answer::Conflict), Some(Reason::KeyGenerated));
    }
}
