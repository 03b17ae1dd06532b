//! The reconcile of an AdminApi: makes the connection that the sets use, and tells whether the server answers.

use std::{collections::BTreeMap, fmt::Debug, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt as _;
use jiff::Timestamp;
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{ConfigMap, Secret},
    apimachinery::pkg::apis::meta::v1::Condition,
};
use kube::{
    Api, Resource, ResourceExt as _,
    api::{Patch, PatchParams},
    core::{DeserializeGuard, ObjectMeta},
    runtime::controller::Action,
};
use secrecy::SecretString;
use serde::de::DeserializeOwned;

use super::{
    connections::{self, Basis, Connection, Unconnected},
    context::Context,
    error::{PassError, admin_api_reason},
    kubernetes::call,
    report,
};
use crate::{
    api::{ADMIN_API_LABEL, AdminApi, AdminApiStatus, CaRefKind, ConditionType, FIELD_MANAGER, Reason},
    hydra,
    lifecycle::{self, limits},
};

/// How often a server that does not answer is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// The data key of a token that names none.
const DEFAULT_TOKEN_KEY: &str = "token";

/// Runs one reconcile and contains its panics.
pub(super) async fn reconcile(guard: Arc<DeserializeGuard<AdminApi>>, cx: Arc<Context>) -> Result<Action, std::convert::Infallible> {
    let result = AssertUnwindSafe(reconcile_guarded(&guard, &cx)).catch_unwind().await;
    Ok(match result {
        Ok(Ok(action)) => action,
        Ok(Err(error)) => {
            tracing::warn!(admin_api = %guard.name_any(), %error, "the reconcile of an AdminApi failed");
            Action::requeue(ASK_AGAIN)
        }
        Err(_) => {
            tracing::error!(admin_api = %guard.name_any(), "the reconcile of an AdminApi panicked: this is a defect of the operator, please report it");
            Action::requeue(ASK_AGAIN)
        }
    })
}

async fn reconcile_guarded(guard: &DeserializeGuard<AdminApi>, cx: &Context) -> Result<Action, PassError> {
    let admin_api = match &guard.0 {
        Ok(admin_api) => admin_api,
        Err(invalid) => {
            tracing::warn!(admin_api = %guard.name_any(), error = lifecycle::without_values(&invalid.error), "an AdminApi cannot be read: its sets wait");
            let message = format!("AdminApi {} cannot be read: its owner has to mend its spec", guard.name_any());
            cx.connections.set(&guard.name_any(), Err(Unconnected { reason: Reason::AdminApiInvalid, message }), false);
            return Ok(Action::await_change());
        }
    };
    let name = admin_api.name_any();
    let connection = match connect(admin_api, cx).await? {
        Ok(connection) => connection,
        Err(unconnected) => {
            write_status(admin_api, None, Err((unconnected.reason, unconnected.message.clone())), cx).await?;
            cx.connections.set(&name, Err(unconnected), false);
            return Ok(Action::requeue(connections::resync(&admin_api.spec)));
        }
    };
    let answer = probe(&connection.client).await;
    let answers = answer.is_ok();
    cx.connections.set(&name, Ok(connection), answers);
    match answer {
        Ok(version) => write_status(admin_api, Some(version), Ok(()), cx).await?,
        Err(error) => {
            tracing::warn!(admin_api = %name, %error, "the admin API does not answer");
            // Whoever may read an AdminApi may read the words of its server, which are redacted and cut.
            write_status(admin_api, None, Err((admin_api_reason(&error), error.to_string())), cx).await?;
        }
    }
    Ok(Action::requeue(if answers { connections::resync(&admin_api.spec) } else { ASK_AGAIN }))
}

/// Whether the server answers, and its version. A proxy may hide both addresses, so that neither being there is no failure.
async fn probe(client: &hydra::Client) -> Result<Option<String>, hydra::Error> {
    match client.ready().await {
        Ok(_) => {}
        Err(error) if error.is_not_the_admin_api() => return Ok(None),
        Err(error) => return Err(error),
    }
    match client.version().await {
        Ok(answer) => Ok(Some(answer.value)),
        Err(error) if error.is_transient() => Err(error),
        Err(_) => Ok(None),
    }
}

/// Makes the connection, or keeps the one there is if nothing it was made from has changed.
async fn connect(admin_api: &AdminApi, cx: &Context) -> Result<Result<Arc<Connection>, Unconnected>, PassError> {
    let mut sources = Vec::new();
    let credentials = match read_credentials(admin_api, &mut sources, cx).await? {
        Ok(credentials) => credentials,
        Err(unconnected) => return Ok(Err(unconnected)),
    };
    let basis = Basis { uid: admin_api.uid().unwrap_or_default(), generation: admin_api.metadata.generation.unwrap_or_default(), sources };
    if let Some(Ok(connection)) = cx.connections.get(&admin_api.name_any())
        && connection.basis == basis
    {
        return Ok(Ok(connection));
    }
    let timeout = limits::timeout(&admin_api.spec);
    let generations = limits::generations(&admin_api.spec);
    Ok(build_client(admin_api, credentials, timeout).map(|client| Arc::new(Connection { client, timeout, generations, basis })).map_err(
        |why| Unconnected { reason: Reason::AdminApiInvalid, message: format!("AdminApi {} cannot be used: {why}", admin_api.name_any()) },
    ))
}

fn build_client(admin_api: &AdminApi, credentials: Credentials, timeout: Duration) -> Result<hydra::Client, hydra::ConfigError> {
    let spec = &admin_api.spec;
    let mut config = hydra::Config::new(&spec.url)?.timeout(timeout);
    if let Some(prefix) = &spec.path_prefix {
        config = config.path_prefix(prefix)?;
    }
    if let Some(token) = credentials.token {
        config = config.bearer_token(token);
    }
    if let Some(bundle) = credentials.certificates {
        config = config.ca_bundle(bundle);
    }
    config.build()
}

/// What a connection reads from the operator's own namespace.
#[derive(Default)]
struct Credentials {
    token: Option<SecretString>,
    certificates: Option<Vec<u8>>,
}

async fn read_credentials(
    admin_api: &AdminApi,
    sources: &mut Vec<String>,
    cx: &Context,
) -> Result<Result<Credentials, Unconnected>, PassError> {
    let mut credentials = Credentials::default();
    if let Some(token) = admin_api.spec.auth.as_ref().and_then(|auth| auth.bearer_token.as_ref()) {
        let key = token.secret_ref.key.as_deref().unwrap_or(DEFAULT_TOKEN_KEY);
        match read_value(admin_api, CaRefKind::Secret, &token.secret_ref.name, key, sources, cx).await? {
            Ok(value) => match String::from_utf8(value) {
                Ok(text) => credentials.token = Some(SecretString::from(text.trim().to_owned())),
                Err(_) => {
                    return Ok(Err(missing(admin_api, format!("Secret {}, key {key}: the token is not text", token.secret_ref.name))));
                }
            },
            Err(unconnected) => return Ok(Err(unconnected)),
        }
    }
    if let Some(ca) = admin_api.spec.tls.as_ref().and_then(|tls| tls.ca_ref.as_ref()) {
        match read_value(admin_api, ca.kind, &ca.name, &ca.key, sources, cx).await? {
            Ok(value) => credentials.certificates = Some(value),
            Err(unconnected) => return Ok(Err(unconnected)),
        }
    }
    Ok(Ok(credentials))
}

/// One value of a Secret or ConfigMap that opted in by its label. The label is looked at before the content is read.
async fn read_value(
    admin_api: &AdminApi,
    kind: CaRefKind,
    name: &str,
    key: &str,
    sources: &mut Vec<String>,
    cx: &Context,
) -> Result<Result<Vec<u8>, Unconnected>, PassError> {
    let read = match kind {
        CaRefKind::Secret => {
            let data = |secret: Secret| secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0)).collect();
            read_labelled(admin_api, name, data, cx).await?
        }
        CaRefKind::ConfigMap => {
            let data = |map: ConfigMap| map.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.into_bytes())).collect();
            read_labelled(admin_api, name, data, cx).await?
        }
    };
    let (metadata, mut values): (ObjectMeta, BTreeMap<String, Vec<u8>>) = match read {
        Ok(read) => read,
        Err(why) => return Ok(Err(missing(admin_api, format!("{kind:?} {name} {why}")))),
    };
    sources.push(format!("{}/{}", metadata.uid.unwrap_or_default(), metadata.resource_version.unwrap_or_default()));
    Ok(values.remove(key).ok_or_else(|| missing(admin_api, format!("{kind:?} {name} has no key {key}"))))
}

/// An object of the operator's namespace and its data, or why it is not read.
async fn read_labelled<K, T>(
    admin_api: &AdminApi,
    name: &str,
    data: impl FnOnce(K) -> T,
    cx: &Context,
) -> Result<Result<(ObjectMeta, T), String>, PassError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    let api = Api::<K>::namespaced(cx.client.clone(), cx.client.default_namespace());
    let absent = || Ok(Err("is not in the operator's namespace".to_owned()));
    let Some(metadata) = call("read the metadata of what an AdminApi names", api.get_metadata_opt(name)).await? else { return absent() };
    if !is_labelled_for(&metadata.metadata, &admin_api.name_any()) {
        return Ok(Err(format!("does not carry the label {ADMIN_API_LABEL}: {}, which lets it be read", admin_api.name_any())));
    }
    let Some(object) = call("read what an AdminApi names", api.get_opt(name)).await? else { return absent() };
    Ok(Ok((object.meta().clone(), data(object))))
}

fn is_labelled_for(metadata: &ObjectMeta, admin_api: &str) -> bool {
    metadata.labels.as_ref().and_then(|labels| labels.get(ADMIN_API_LABEL)).is_some_and(|value| value == admin_api)
}

fn missing(admin_api: &AdminApi, why: String) -> Unconnected {
    Unconnected { reason: Reason::CredentialsMissing, message: format!("AdminApi {}: {why}", admin_api.name_any()) }
}

/// Whether an AdminApi reads this Secret or ConfigMap of the operator's namespace.
pub(super) fn reads(admin_api: &AdminApi, kind: CaRefKind, name: &str) -> bool {
    let token = admin_api
        .spec
        .auth
        .as_ref()
        .and_then(|auth| auth.bearer_token.as_ref())
        .is_some_and(|token| kind == CaRefKind::Secret && token.secret_ref.name == name);
    token || admin_api.spec.tls.as_ref().and_then(|tls| tls.ca_ref.as_ref()).is_some_and(|ca| ca.kind == kind && ca.name == name)
}

/// Writes the status, if it differs.
async fn write_status(
    admin_api: &AdminApi,
    version: Option<Option<String>>,
    ready: Result<(), (Reason, String)>,
    cx: &Context,
) -> Result<(), PassError> {
    let previous = admin_api.status.clone().unwrap_or_default();
    let (status_text, reason, message) = match ready {
        Ok(()) => ("True", Reason::AsPlanned, "the admin API answers".to_owned()),
        Err((reason, message)) => ("False", reason, message),
    };
    let generation = admin_api.metadata.generation;
    let kind = ConditionType::Ready.as_str();
    let before = previous.conditions.iter().find(|condition| condition.type_ == kind && condition.status == status_text);
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default();
    let condition = Condition {
        type_: kind.to_owned(),
        status: status_text.to_owned(),
        reason: reason.as_str().to_owned(),
        // The words of a failing server may differ each time: the first ones stand until something else is wrong.
        message: before.filter(|before| before.reason == reason.as_str()).map_or(message, |before| before.message.clone()),
        observed_generation: generation,
        last_transition_time: before
            .map_or(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now), |condition| condition.last_transition_time.clone()),
    };
    let status = AdminApiStatus {
        observed_generation: generation,
        version: version.unwrap_or(previous.version.clone()),
        conditions: vec![condition],
    };
    if admin_api.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let patch = report::status_patch::<AdminApi>(&admin_api.name_any(), admin_api.uid().as_deref(), &status);
    let api = Api::<AdminApi>::all(cx.client.clone());
    call(
        "write the status of an AdminApi",
        api.patch_status(&admin_api.name_any(), &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(patch)),
    )
    .await?;
    Ok(())
}
