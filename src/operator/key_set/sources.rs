//! Reads the Secrets that keys are imported from. A private half is held only while it is written.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt as _, core::PartialObjectMeta, runtime::reflector::ObjectRef};
use zeroize::Zeroize as _;

use super::pass::Pass;
use crate::operator::{context::Context, error::PassError, kubernetes::call_secret, memory::KnownSource, repeats::Wrong, watch::metadata};
use crate::{
    api::{IMPORT_LABEL, Import},
    jwk::import::Imported,
    lifecycle::{self, Desired, EntryName, SecretContent, Source, SourceKey, SourceState, Uid},
};

/// What is where the entries import their keys from, by entry name.
pub(super) async fn observe(desired: &Desired, pass: &Pass<'_>) -> BTreeMap<EntryName, SourceState> {
    let mut states = BTreeMap::new();
    for (name, import) in imports(desired) {
        states.insert(name.clone(), look(desired, name, import, pass).await);
    }
    states
}

fn imports(desired: &Desired) -> impl Iterator<Item = (&EntryName, &Import)> {
    desired.entries.iter().filter_map(|entry| match &entry.source {
        Source::Import(import) => Some((&entry.name, import)),
        Source::Generate { .. } | Source::Public { .. } | Source::Invalid(_) => None,
    })
}

/// The state of a source: as it is remembered while the Secret is of the same version, else as it is read.
async fn look(desired: &Desired, name: &EntryName, import: &Import, pass: &Pass<'_>) -> SourceState {
    let uid = Uid::of(pass.resource.as_ref());
    let version = match watched_version(desired, import, pass.cx) {
        Some(version) => version,
        None => match labelled_version(desired, import, pass).await {
            Ok(version) => version,
            Err(state) => return state,
        },
    };
    if let Some(known) = pass.cx.memory.source(&uid, name).filter(|known| known.version == version && known.import == *import) {
        return known.state;
    }
    let state = match read(desired, name, pass).await {
        Ok(imported) => state_of(&imported),
        Err(state) => state,
    };
    // What could not be read this time may be read the next time, in the same version.
    if !matches!(state, SourceState::Missing { .. }) {
        pass.cx.memory.remember_source(&uid, name, KnownSource { version, import: import.clone(), state: state.clone() });
    }
    state
}

/// What may be remembered of a key.
pub(super) fn state_of(imported: &Imported) -> SourceState {
    SourceKey::of_imported(imported).map_or_else(|| SourceState::Invalid { why: "its key is incomplete".to_owned() }, SourceState::Held)
}

/// The version of a Secret that carries the label, if the operator may watch it.
fn watched_version(desired: &Desired, import: &Import, cx: &Context) -> Option<String> {
    let found = cx.stores.imports.get(&ObjectRef::new(&import.secret_ref.name).within(&desired.namespace))?;
    found.metadata.resource_version.clone()
}

/// The version of a Secret that carries the label, by its metadata: without the label its content is not even asked for.
async fn labelled_version(desired: &Desired, import: &Import, pass: &Pass<'_>) -> Result<String, SourceState> {
    let api = Api::<PartialObjectMeta<Secret>>::namespaced(pass.cx.client.clone(), &desired.namespace);
    let name = &import.secret_ref.name;
    let found = call_secret("read the metadata of a Secret", api.get_opt(name)).await.map_err(|error| unreadable(&error, pass))?;
    let Some(mut secret) = found else { return Err(missing()) };
    metadata::overwrite_annotations(&mut secret.metadata);
    if secret.labels().get(IMPORT_LABEL).map(String::as_str) != Some("true") {
        return Err(SourceState::NotLabelled);
    }
    Ok(secret.resource_version().unwrap_or_default())
}

/// Reads the key of an entry, its private half included.
///
/// # Errors
/// The state that keeps it from being read.
pub(super) async fn read(desired: &Desired, name: &EntryName, pass: &Pass<'_>) -> Result<Imported, SourceState> {
    let Some((_, import)) = imports(desired).find(|(entry, _)| *entry == name) else { return Err(missing()) };
    let api = Api::<Secret>::namespaced(pass.cx.client.clone(), &desired.namespace);
    let found = call_secret("read a Secret", api.get_opt(&import.secret_ref.name)).await.map_err(|error| unreadable(&error, pass))?;
    let Some(mut secret) = found else { return Err(missing()) };
    metadata::overwrite_annotations(&mut secret.metadata);
    let labels = secret.metadata.labels.unwrap_or_default();
    let mut data: BTreeMap<String, Vec<u8>> = secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0)).collect();
    let content = SecretContent { labels: &labels, secret_type: secret.type_.as_deref(), data: &data };
    let imported = lifecycle::read_source(&desired.set, name, import, content);
    data.values_mut().for_each(|value| value.zeroize());
    imported
}

fn missing() -> SourceState {
    SourceState::Missing { why: "it does not exist".to_owned() }
}

fn unreadable(error: &PassError, pass: &Pass<'_>) -> SourceState {
    let why = match error.kubernetes_code() {
        Some(code) => format!("the operator cannot read it (Kubernetes answered {code})"),
        None => "the operator cannot read it now".to_owned(),
    };
    if let Some(times) = pass.cx.memory.goes_wrong(&Uid::of(pass.resource.as_ref()), Wrong::Source) {
        tracing::warn!(%error, times, "a Secret to import from cannot be read");
    }
    SourceState::Missing { why }
}
