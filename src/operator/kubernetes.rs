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

/// The same for a Secret. What the API server, a webhook or a parser says of one may repeat a part of it, so of an error its kind is kept, and
/// what surely speaks of something else.
pub(super) async fn call_secret<T>(action: &'static str, asked: impl Future<Output = kube::Result<T>>) -> Result<T, PassError> {
    call(action, async { asked.await.map_err(without_words) }).await
}

/// The kind of an error, without the words of others about the Secret.
fn without_words(error: kube::Error) -> kube::Error {
    match error {
        kube::Error::Api(status) => {
            let message = harmless_words(&status);
            kube::Error::Api(Box::new(Status {
                code: status.code,
                reason: status.reason,
                status: status.status,
                message,
                ..Status::default()
            }))
        }
        kube::Error::SerdeError(error) => {
            let place = format!("the answer cannot be read at line {}, column {}", error.line(), error.column());
            kube::Error::SerdeError(serde::de::Error::custom(place))
        }
        other => other,
    }
}

/// What the API server says of a refusal, as far as it is about a quota, the name of a policy or webhook, the size, or names fields.
fn harmless_words(status: &Status) -> String {
    let message = &status.message;
    if let Some((_, quota)) = message.split_once("exceeded quota: ") {
        return format!("exceeded quota: {quota}");
    }
    for denied in [" denied the request", " denied request"] {
        if let Some((who, _)) = message.split_once(denied) {
            let who = who.rsplit_once(" is forbidden: ").map_or(who, |(_, who)| who);
            return format!("{who}{denied}");
        }
    }
    if status.code == 413 {
        return message.clone();
    }
    let fields = status.details.iter().flat_map(|details| &details.causes).map(|cause| cause.field.as_str());
    fields.filter(|field| !field.is_empty()).collect::<Vec<_>>().join(", ")
}
