//! What is worth an event: steps, as a person wants to hear of them.

use super::step::{CreateCause, DeleteCause, PutCause, Step};
use crate::api::Reason;

/// Something that happened to a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The reason of the event.
    pub reason: Reason,
    /// What it happened to: kids.
    pub kids: Vec<String>,
}

impl Notice {
    /// The sentence of the event.
    pub fn sentence(&self, set: &str) -> String {
        let kids = self.kids.join(", ");
        match self.reason {
            Reason::KeyGenerated => format!("Generated {kids} in set {set}"),
            Reason::KeyStored => format!("Stored {kids} in set {set}"),
            Reason::KeyRetired => format!("Retired {kids} in set {set}: the public half stays"),
            Reason::KeyRemoved => format!("Removed {kids} from set {set}"),
            Reason::DriftRepaired => format!("Set {set} was changed by somebody else: repaired with {kids}"),
            Reason::SignerRestored => format!("Put {kids} in front of set {set}, where it signs: another private key stood there"),
            Reason::SetDeleted => format!("Deleted set {set} with its resource"),
            Reason::SetRetained => format!("Left set {set} as it is, as its resource wants it"),
            Reason::SetConflict => format!("Left set {set} as it is: another resource owns it"),
            Reason::AccessDenied => format!("Left set {set} as it is: the AdminApi does not grant it to this namespace"),
            reason => format!("{} in set {set}: {kids}", reason.as_str()),
        }
    }
}

/// What to tell of a step that was taken; `None` for steps that are means to another.
pub fn notice(step: &Step) -> Option<Notice> {
    let (reason, kid) = match step {
        Step::CreateKey { kid, cause, .. } | Step::CreateSymmetricKey { kid, cause, .. } => match cause {
            CreateCause::New => (Reason::KeyGenerated, Some(kid.as_str())),
            CreateCause::Lost => (Reason::DriftRepaired, Some(kid.as_str())),
        },
        Step::PutKey { key, cause } => match cause {
            PutCause::Supplied => (Reason::KeyStored, key.kid()),
            PutCause::Signer => (Reason::SignerRestored, key.kid()),
            PutCause::Retired => (Reason::KeyRetired, key.kid()),
            PutCause::Drift => (Reason::DriftRepaired, key.kid()),
        },
        Step::DeleteKey { kid, cause: DeleteCause::Expired } => (Reason::KeyRemoved, Some(kid.as_str())),
        Step::DeleteSet => (Reason::SetDeleted, None),
        Step::RemoveFinalizer { retained: true } => (Reason::SetRetained, None),
        Step::DeleteKey { cause: DeleteCause::ResourceDeleted, .. }
        | Step::RemoveFinalizer { retained: false }
        | Step::AddFinalizer
        | Step::StoreRecord(_)
        | Step::ReadLive
        | Step::Wait { .. }
        | Step::WriteTarget { .. }
        | Step::RemoveTarget { .. } => return None,
    };
    Some(Notice { reason, kids: kid.map(str::to_owned).into_iter().collect() })
}

/// Adds a notice to those of the same pass: one event for each reason, with all its kids.
pub fn add_notice(notices: &mut Vec<Notice>, new: Notice) {
    match notices.iter_mut().find(|notice| notice.reason == new.reason) {
        Some(notice) => notice.kids.extend(new.kids),
        None => notices.push(new),
    }
}
