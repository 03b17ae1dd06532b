//! What can go wrong in a pass, and what the status says about it.

use jiff::Timestamp;

use super::api_status;
use crate::{
    api::Reason,
    hydra,
    jwk::Kid,
    lifecycle::{Failure, SetId, TargetId},
};

/// Why a pass stopped.
#[derive(Debug, thiserror::Error)]
pub(super) enum PassError {
    /// A call to the admin API.
    #[error("{0}")]
    CallAdminApi(#[source] Box<hydra::Error>),
    /// A second POST of the same kid was refused although the set does not show the key.
    #[error(
        "the admin API reports that kid {kid} exists in set {set}, but does not return it: look for a key whose kid differs only in case"
    )]
    CreateHiddenKey { set: SetId, kid: Kid },
    /// A read or write of the resource itself.
    #[error("cannot {action}: {source}")]
    CallKubernetes {
        action: &'static str,
        #[source]
        source: Box<kube::Error>,
    },
    /// The same without an answer.
    #[error("cannot {action}: Kubernetes did not answer in time")]
    AwaitKubernetes { action: &'static str },
    /// A read of a target failed.
    #[error("cannot read {id}: {source}")]
    ReadTarget {
        id: TargetId,
        #[source]
        source: Box<PassError>,
    },
    /// A target that has to be made again is still being removed.
    #[error("{id} must be replaced, but still exists: find out which finalizer keeps it, and who has to remove that finalizer")]
    AwaitRemoval { id: TargetId },
    /// Another process may lead by now, or another operator has the resource.
    #[error("this process may no longer write: another process leads, or the resource belongs to another operator now")]
    KeepLeading,
    /// The resource was changed, or the process ends, while a pass waited for its turn.
    #[error("the resource was changed while this pass waited for its turn: it is reconciled again")]
    Overtake,
    /// The plan asks for the same again and again.
    #[error(
        "the same step for set {set} is due again and again: find out who else writes to the set; if nobody does, please report this with the operator's log"
    )]
    ReachFixedPoint { set: SetId },
    /// Making a symmetric key.
    #[error("a symmetric key cannot be made: the random source of the machine failed")]
    MakeSymmetricKey,
}

impl From<hydra::Error> for PassError {
    fn from(error: hydra::Error) -> Self {
        Self::CallAdminApi(Box::new(error))
    }
}

impl PassError {
    /// The HTTP status that the API server answered with.
    pub(super) fn kubernetes_code(&self) -> Option<u16> {
        match self {
            Self::CallKubernetes { source, .. } => match source.as_ref() {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            },
            _ => None,
        }
    }

    /// What the status says. A tenant reads it, so the words of a server are not in it.
    pub(super) fn failure(&self, step_was_due: bool) -> Failure {
        let (reason, message, stalled) = match self {
            Self::CallAdminApi(error) => (admin_api_reason(error), error.public_message(), !error.is_transient()),
            Self::CallKubernetes { action, source } => {
                let (status, stalled) = match source.as_ref() {
                    kube::Error::Api(status) => (api_status::words(status), api_status::is_refusal(status)),
                    _ => (String::new(), false),
                };
                (Reason::KubernetesUnavailable, format!("cannot {action}{status}"), stalled)
            }
            Self::KeepLeading | Self::Overtake => (Reason::InternalError, self.to_string(), false),
            Self::ReachFixedPoint { .. } => (Reason::NoFixedPoint, self.to_string(), false),
            Self::CreateHiddenKey { .. } => (Reason::AdminApiRefused, self.to_string(), true),
            Self::AwaitKubernetes { .. } => (Reason::KubernetesUnavailable, self.to_string(), false),
            Self::ReadTarget { id, .. } => (Reason::KubernetesUnavailable, format!("cannot read {id}"), false),
            Self::AwaitRemoval { .. } => (Reason::TargetFailed, self.to_string(), true),
            Self::MakeSymmetricKey => (Reason::InternalError, self.to_string(), false),
        };
        Failure { reason, message, stalled, step_was_due }
    }

    /// Whether the admin API refused one key, which says nothing about the others.
    pub(super) fn refuses_the_key(&self) -> bool {
        match self {
            Self::CallAdminApi(error) => error.refuses_the_key(),
            Self::CreateHiddenKey { .. } => true,
            _ => false,
        }
    }

    /// Until when the server asked to wait, as the end of a sentence; nothing if it did not.
    pub(super) fn asked_to_wait(&self, now: Timestamp) -> String {
        let until = self.call().and_then(hydra::Error::asked_to_wait).and_then(|wait| now.checked_add(wait).ok());
        until.map(|until| format!("; the server asked to wait, so the next request is sent no earlier than {until:.0}")).unwrap_or_default()
    }

    /// The call to the admin API that failed.
    pub(super) fn call(&self) -> Option<&hydra::Error> {
        match self {
            Self::CallAdminApi(error) => Some(error),
            _ => None,
        }
    }

    /// How long the server asked to wait.
    pub(super) fn retry_after(&self) -> Option<std::time::Duration> {
        self.call().and_then(hydra::Error::retry_after)
    }
}

/// The condition's reason for a failed call.
pub(super) fn admin_api_reason(error: &hydra::Error) -> Reason {
    match error.reason() {
        "Unauthorized" | "Forbidden" | "TokenRefused" => Reason::AdminApiUnauthorized,
        _ if error.is_transient() => Reason::AdminApiUnavailable,
        _ => Reason::AdminApiRefused,
    }
}
