//! The reconcile of an AdminApi: makes the connection that the sets use, and tells whether the server answers.

use std::{collections::BTreeMap, fmt::Debug, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt as _;
use jiff::Timestamp;
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{ConfigMap, Secret},
};
use kube::{
    Api, Resource, ResourceExt as _,
    api::{Patch, PatchParams},
    core::{DeserializeGuard, ObjectMeta},
    runtime::{controller::Action, reflector::ObjectRef},
};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{
    connections::{self, Basis, Connection, Unconnected},
    context::Context,
    error::{PassError, admin_api_reason},
    kubernetes::call,
    report, unparsable,
};
use crate::{
    api::{ADMIN_API_LABEL, AdminApi, CaRefKind, FIELD_MANAGER, JsonWebKeySet, Reason},
    hydra,
    lifecycle::{self, Finding, limits},
};

/// How soon an AdminApi is looked at again while the resources are being listed.
const NOT_LISTED_YET: Duration = Duration::from_millis(200);
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
    if !cx.readiness.is_set() {
        // Who uses it is not known before all resources are listed.
        return Ok(Action::requeue(NOT_LISTED_YET));
    }
    let users = users(&name, cx);
    if let Some(released) = hold(admin_api, users, cx).await?
        && released.is_gone
    {
        return Ok(Action::await_change());
    }
    let connection = match connect(admin_api, cx).await? {
        Ok(connection) => connection,
        Err(unconnected) => {
            let finding = Finding { ready: Err((unconnected.reason, unconnected.message.clone())), version: None };
            write_status(admin_api, finding, users, cx).await?;
            cx.connections.set(&name, Err(unconnected), false);
            return Ok(Action::requeue(connections::resync(&admin_api.spec)));
        }
    };
    let answer = probe(&connection.client).await;
    let answers = answer.is_ok();
    cx.connections.set(&name, Ok(connection), answers);
    let finding = match answer {
        Ok(version) => Finding { ready: Ok(()), version: Some(version) },
        Err(error) => {
            tracing::warn!(admin_api = %name, %error, "the admin API does not answer");
            // Whoever may read an AdminApi may read the words of its server, which are redacted and cut.
            Finding { ready: Err((admin_api_reason(&error), error.to_string())), version: None }
        }
    };
    write_status(admin_api, finding, users, cx).await?;
    Ok(Action::requeue(if answers { connections::resync(&admin_api.spec) } else { ASK_AGAIN }))
}

/// How many resources use an AdminApi.
fn users(name: &str, cx: &Context) -> usize {
    cx.sets.state_filter(|set| uses(set, name, cx)).len()
}

/// Whether a resource uses an AdminApi. One that cannot be read uses what it used.
fn uses(set: &DeserializeGuard<JsonWebKeySet>, name: &str, cx: &Context) -> bool {
    match &set.0 {
        Ok(set) => lifecycle::is_user(set, name),
        Err(invalid) => unparsable::claim(invalid, cx).is_none_or(|claim| lifecycle::is_user(&claim, name)),
    }
}

/// Whether an AdminApi has to be looked at because a resource that uses it came or went: for its finalizer, or the number that it tells.
pub(super) fn is_affected(name: &str, is_gone: bool, cx: &Context) -> bool {
    let found = cx.admin_apis.get(&ObjectRef::<DeserializeGuard<AdminApi>>::new(name));
    found.is_some_and(|guard| {
        guard.0.as_ref().is_ok_and(|admin_api| {
            let is_used = || !is_gone || cx.sets.find(|set| uses(set, name, cx)).is_some();
            (is_gone && admin_api.metadata.deletion_timestamp.is_some())
                || lifecycle::finalizers(admin_api, usize::from(is_used())).is_some()
        })
    })
}

/// What a change of the finalizers led to.
struct Released {
    /// Whether the AdminApi goes now.
    is_gone: bool,
}

/// Holds an AdminApi while resources use it, and lets it go when none does.
async fn hold(admin_api: &AdminApi, users: usize, cx: &Context) -> Result<Option<Released>, PassError> {
    let Some(finalizers) = lifecycle::finalizers(admin_api, users) else { return Ok(None) };
    let metadata = &admin_api.metadata;
    let patch = json!({ "metadata": { "uid": metadata.uid, "resourceVersion": metadata.resource_version, "finalizers": finalizers } });
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let api = Api::<AdminApi>::all(cx.client.clone());
    match call("write the finalizer of an AdminApi", api.patch(&admin_api.name_any(), &parameters, &Patch::Merge(patch))).await {
        Ok(_) => Ok(Some(Released { is_gone: metadata.deletion_timestamp.is_some() && finalizers.is_empty() })),
        Err(error) if error.kubernetes_code() == Some(404) => Ok(Some(Released { is_gone: true })),
        Err(error) => Err(error),
    }
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
async fn write_status(admin_api: &AdminApi, finding: Finding, users: usize, cx: &Context) -> Result<(), PassError> {
    let status = lifecycle::admin_api_status(admin_api, finding, users, Timestamp::now());
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
