//! Calls to Kubernetes with a bound on their time.

use std::{future::Future, time::Duration};

use kube::core::Status;

use super::error::PassError;

/// How long one call to Kubernetes may take. The client repeats on its own for minutes, which is longer than a pass should hang.
const KUBERNETES_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs one call. `action` completes the sentence "cannot …".
pub(super) async fn call<T>(action: &'static str, call: impl Future<Output = kube::Result<T>>) -> Result<T, PassError> {
    match tokio::time::timeout(KUBERNETES_TIMEOUT, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(source)) => Err(PassError::CallKubernetes { action, source: Box::new(source) }),
        Err(_) => Err(PassError::AwaitKubernetes { action }),
    }
}

/// The same for a Secret. What the API server, a webhook or a parser says of one may repeat a part of it, so of an error its kind is kept.
pub(super) async fn call_secret<T>(action: &'static str, asked: impl Future<Output = kube::Result<T>>) -> Result<T, PassError> {
    call(action, async { asked.await.map_err(without_words) }).await
}

/// The kind of an error, without the words of others.
fn without_words(error: kube::Error) -> kube::Error {
    match error {
        kube::Error::Api(status) => {
            kube::Error::Api(Box::new(Status { code: status.code, reason: status.reason, status: status.status, ..Status::default() }))
        }
        kube::Error::SerdeError(error) => {
            let place = format!("the answer cannot be read at line {}, column {}", error.line(), error.column());
            kube::Error::SerdeError(serde::de::Error::custom(place))
        }
        other => other,
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
}
