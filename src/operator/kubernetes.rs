//! Calls to Kubernetes with a bound on their time.

use std::{future::Future, time::Duration};

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
