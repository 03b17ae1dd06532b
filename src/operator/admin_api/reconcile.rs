//! The reconcile of an AdminApi: makes the connection that the sets use, and reports whether the server answers.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use kube::{
    Api, Resource as _, ResourceExt as _,
    api::{Patch, PatchParams},
    core::DeserializeGuard,
    runtime::{controller::Action, reflector::ObjectRef},
};
use serde_json::json;
use tracing::Instrument as _;

use super::{
    connections::{self, Basis, Connection, Unconnected},
    credentials::{self, ConnectError, ConnectionSecrets},
};
use crate::operator::{
    contained::{Panicked, contained},
    context::Context,
    error::{PassError, admin_api_reason},
    key_set::{report, unparsable},
    kubernetes::call,
    metrics::{Ending, Kind},
    span,
};
use crate::{
    api::{AdminApi, AdminApiSpec, FIELD_MANAGER, JsonWebKeySet, Reason},
    hydra,
    lifecycle::{self, AdminApiFinding, Uid, spec::settings::AdminApiSettings},
};

/// How soon an AdminApi is looked at again while the resources are being listed.
const NOT_LISTED_YET: Duration = Duration::from_millis(200);
/// How often a server that does not answer is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// The same of one that answers with a refusal: somebody has to change something first.
const ASK_REFUSING_AGAIN: Duration = Duration::from_secs(30);
/// The id of a set that nobody has, within the prefix of the AdminApi: no JsonWebKeySet can be given it. What is answered for it shows whether
/// the path prefix and the credentials are right.
const NOBODYS_SET: &str = "jwk-operator~probe";

/// Runs one reconcile and contains its panics.
pub(in crate::operator) async fn reconcile(
    guard: Arc<DeserializeGuard<AdminApi>>,
    cx: Arc<Context>,
) -> Result<Action, std::convert::Infallible> {
    if !cx.leadership.may_write() {
        return Ok(Action::await_change());
    }
    let started = Instant::now();
    let span = span::of_admin_api(guard.as_ref());
    let result = contained("the reconcile of an AdminApi", reconcile_guarded(&guard, &cx)).instrument(span.clone()).await;
    let _told_of_it = span.entered();
    cx.metrics.reconciled(Kind::AdminApi, Ending::of(&result), started.elapsed());
    Ok(match result {
        Ok(Ok(action)) => action,
        Ok(Err(error)) => {
            if let Some(times) = cx.connections.goes_wrong(&guard.name_any()) {
                tracing::warn!(%error, times, "the reconcile of an AdminApi failed");
            }
            Action::requeue(ASK_AGAIN)
        }
        Err(Panicked) => Action::requeue(ASK_AGAIN),
    })
}

async fn reconcile_guarded(guard: &DeserializeGuard<AdminApi>, cx: &Context) -> Result<Action, PassError> {
    let admin_api = match &guard.0 {
        Ok(admin_api) => admin_api,
        Err(invalid) => {
            tracing::warn!(
                error = lifecycle::without_values(&invalid.error),
                "an AdminApi cannot be read: its sets wait until its owner corrects its spec"
            );
            let message = format!("AdminApi {} cannot be read: its owner must correct its spec", guard.name_any());
            cx.connections.set(
                &guard.name_any(),
                guard.meta().generation,
                Err(Unconnected { reason: Reason::AdminApiInvalid, message }),
                false,
            );
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
    let connection = match connect(admin_api, cx).await {
        Ok(connection) => connection,
        Err(ConnectError::Kubernetes(error)) => return Err(error),
        Err(ConnectError::Unconnected(unconnected)) => {
            let finding = AdminApiFinding { ready: Err((unconnected.reason, unconnected.message.clone())), version: None };
            write_status(admin_api, finding, users, cx).await?;
            cx.connections.set(&name, admin_api.metadata.generation, Err(unconnected), false);
            return Ok(Action::requeue(connections::resync(&admin_api.spec)));
        }
    };
    let answer = probe(&connection.client, &admin_api.spec).await;
    if matches!(&answer, Err(error) if error.asked_to_wait().is_some()) && cx.connections.answered(&name) {
        // It asks to be left alone, which is an answer: what was found before stands.
        cx.connections.set(&name, admin_api.metadata.generation, Ok(connection), true);
        return Ok(Action::requeue(ASK_REFUSING_AGAIN));
    }
    let answers = answer.is_ok();
    cx.connections.set(&name, admin_api.metadata.generation, Ok(connection), answers);
    let (finding, next) = match answer {
        Ok(version) => (AdminApiFinding { ready: Ok(()), version: Some(version) }, connections::resync(&admin_api.spec)),
        Err(error) => {
            // Whoever may read an AdminApi may read the words of its server, which are redacted and cut.
            let finding = AdminApiFinding { ready: Err((admin_api_reason(&error), error.to_string())), version: None };
            (finding, if error.is_transient() { ASK_AGAIN } else { ASK_REFUSING_AGAIN })
        }
    };
    write_status(admin_api, finding, users, cx).await?;
    Ok(Action::requeue(next))
}

/// How many resources use an AdminApi.
fn users(name: &str, cx: &Context) -> usize {
    cx.stores.sets.state_filter(|set| uses(set, name, cx)).len()
}

/// Whether a resource uses an AdminApi. One that cannot be read uses what it used.
fn uses(set: &DeserializeGuard<JsonWebKeySet>, name: &str, cx: &Context) -> bool {
    match &set.0 {
        Ok(set) => lifecycle::is_user(set, name),
        Err(invalid) => unparsable::claim(invalid, cx).is_none_or(|claim| lifecycle::is_user(&claim, name)),
    }
}

/// Whether an AdminApi has to be looked at because a resource that uses it came or went: for its finalizer, or the number that it reports.
pub(in crate::operator) fn is_affected(name: &str, is_gone: bool, cx: &Context) -> bool {
    let found = cx.stores.admin_apis.get(&ObjectRef::<DeserializeGuard<AdminApi>>::new(name)).filter(|_| cx.sees_all_namespaces);
    found.is_some_and(|guard| {
        guard.0.as_ref().is_ok_and(|admin_api| {
            let is_used = || !is_gone || cx.stores.sets.find(|set| uses(set, name, cx)).is_some();
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
    if !cx.sees_all_namespaces {
        // Somebody may use it whom this operator does not see.
        return Ok(None);
    }
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

/// Whether the server answers and lets sets be read, and its version. A proxy may hide readiness and version, so that neither being there is no
/// failure.
async fn probe(client: &hydra::Client, spec: &AdminApiSpec) -> Result<Option<String>, hydra::Error> {
    match client.ready().await {
        Ok(_) => {}
        Err(error) if error.is_not_the_admin_api() => {}
        Err(error) => return Err(error),
    }
    client.get_json_web_key_set(&format!("{}{NOBODYS_SET}", spec.set_prefix.as_deref().unwrap_or_default())).await?;
    match client.version().await {
        Ok(answer) => Ok(Some(answer.value)),
        Err(error) if error.is_transient() => Err(error),
        Err(_) => Ok(None),
    }
}

/// Makes the connection, or keeps the one there is if nothing it was made from has changed.
async fn connect(admin_api: &AdminApi, cx: &Context) -> Result<Arc<Connection>, ConnectError> {
    let (credentials, sources) = credentials::read(admin_api, cx).await?;
    let basis = Basis { uid: Uid::of(admin_api), generation: admin_api.metadata.generation.unwrap_or_default(), sources };
    if let Some(Ok(connection)) = cx.connections.get(&admin_api.name_any())
        && connection.basis == basis
    {
        return Ok(connection);
    }
    let unusable = |why: hydra::ConfigError| Unconnected {
        reason: Reason::AdminApiInvalid,
        message: format!("AdminApi {} cannot be used: {why}", admin_api.name_any()),
    };
    let client = build_client(admin_api, credentials, cx).map_err(unusable)?;
    let settings = AdminApiSettings::of(&admin_api.spec);
    Ok(Arc::new(Connection {
        client,
        generation_timeout: settings.generation_timeout,
        request_timeout: settings.request_timeout,
        concurrency: settings.concurrency,
        generations: settings.generations,
        basis,
    }))
}

/// How much may be asked of the server, with the defaults for what the AdminApi does not say.
fn request_limits(spec: &AdminApiSpec) -> hydra::CallLimits {
    let default = hydra::CallLimits::default();
    let Some(limits) = &spec.limits else { return default };
    let count = |asked: Option<i32>, default: u32| asked.and_then(|count| u32::try_from(count).ok()).unwrap_or(default);
    hydra::CallLimits {
        requests_per_second: limits.requests_per_second.and_then(|rate| u32::try_from(rate).ok()),
        burst: count(limits.burst, default.burst),
        concurrency: AdminApiSettings::of(spec).concurrency,
    }
}

fn build_client(admin_api: &AdminApi, credentials: ConnectionSecrets, cx: &Context) -> Result<hydra::Client, hydra::ConfigError> {
    let spec = &admin_api.spec;
    let settings = AdminApiSettings::of(spec);
    let mut config = hydra::Config::new(&spec.url)?
        .timeout(settings.request_timeout)
        .generation_timeout(settings.generation_timeout)
        .limits(request_limits(spec))
        .environment_proxy(cx.uses_environment_proxy)
        .observer(cx.metrics.observer(&admin_api.name_any()));
    if let Some(prefix) = &spec.path_prefix {
        config = config.path_prefix(prefix)?;
    }
    if let Some(scheme) = spec.forwarded_proto {
        config = config.forwarded_proto(scheme.as_str());
    }
    if let Some(authentication) = credentials.authentication {
        config = config.authentication(authentication);
    }
    if let Some(bundle) = credentials.certificates {
        config = config.ca_bundle(bundle);
    }
    if let Some(certificate) = credentials.client_certificate {
        config = config.client_certificate(certificate);
    }
    config.build()
}

/// Writes the status, if it differs.
async fn write_status(admin_api: &AdminApi, finding: AdminApiFinding, users: usize, cx: &Context) -> Result<(), PassError> {
    let status = lifecycle::admin_api_status(admin_api, finding, users, Timestamp::now());
    let name = admin_api.name_any();
    let trouble = lifecycle::trouble(&status.conditions);
    if admin_api.status.as_ref() == Some(&status) {
        match trouble {
            Some(trouble) => {
                if let Some(times) = cx.connections.goes_wrong(&name) {
                    tracing::warn!(reason = trouble.reason, times, "still: {}", trouble.message);
                }
            }
            None => cx.connections.is_well(&name),
        }
        return Ok(());
    }
    let patch = report::status_patch::<AdminApi>(&admin_api.name_any(), &Uid::of(admin_api), &status);
    let api = Api::<AdminApi>::all(cx.client.clone());
    call("write the status of an AdminApi", api.patch_status(&name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(patch)))
        .await?;
    let before = admin_api.status.as_ref().map_or(&[][..], |status| &status.conditions);
    if let Some(transition) = lifecycle::transition(before, &status.conditions) {
        if transition.is_trouble {
            cx.connections.was_logged(&name)
        } else {
            cx.connections.is_well(&name)
        }
        report::tell_transition(&admin_api.object_ref(&()), &transition, None, cx).await;
    }
    Ok(())
}
