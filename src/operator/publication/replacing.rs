//! Puts another object in the place of a target that cannot be changed: a Secret of another type, or what somebody made immutable.

use kube::{
    Api,
    api::{DeleteParams, PostParams, Preconditions},
    core::ObjectMeta,
};

use super::target_object::{TargetObject, held, metadata_of, read, written_by_us};
use crate::operator::{context::Context, error::PassError, key_set::current};
use crate::{
    api::JsonWebKeySet,
    lifecycle::{HeldTarget, TargetContent, TargetId, TargetState, Uid},
};

/// The name under which a new object is tried out: its own is taken until the old one is gone.
const TRIED_OUT_AS: &str = "jwk-operator-dry-run";

/// Removes the object that was looked at and makes the new one. Before, the API server says whether it would take it; if it does not in the
/// end, what was there is put back.
///
/// # Errors
/// The refusal of the new object, after which the old one is there, or what failed.
pub(super) async fn replace<K: TargetObject>(
    api: &Api<K>,
    resource: &JsonWebKeySet,
    id: &TargetId,
    content: &TargetContent,
    before: &HeldTarget,
    cx: &Context,
) -> Result<TargetState, PassError> {
    let owner = Uid::of(resource);
    let metadata = metadata_of(resource, id, content);
    let mut trial = K::compose(ObjectMeta { name: Some(TRIED_OUT_AS.to_owned()), ..metadata.clone() }, content);
    let asked = PostParams { dry_run: true, ..written_by_us() };
    let tried = K::call("try out the replacement of a target", api.create(&asked, &trial)).await;
    trial.wipe();
    match tried {
        Ok(mut answer) => answer.wipe(),
        // Somebody has an object of this name: it was taken until there.
        Err(error) if error.kubernetes_code() == Some(409) => {}
        Err(error) => return Err(error),
    }
    let Some(mut old) = K::call("read a target", api.get_opt(&id.name)).await? else { return Ok(TargetState::Absent) };
    current::require_leadership(resource, cx)?;
    let mut new = K::compose(metadata, content);
    let replaced = exchange(api, id, &old, &new, before).await;
    new.wipe();
    let answer = match replaced {
        Exchange::Done(object) => Ok(TargetState::Held(held(object))),
        Exchange::Changed => read::<K>(id, &owner, cx).await.and_then(|found| match found {
            TargetState::Held(held) if held.uid == before.uid && held.resource_version != before.resource_version => {
                Ok(TargetState::Held(held))
            }
            TargetState::Held(held) if held.uid == before.uid => Err(PassError::AwaitRemoval { id: id.clone() }),
            found => Ok(found),
        }),
        Exchange::Refused { error, is_removed } => {
            if is_removed && current::require_leadership(resource, cx).is_ok() {
                put_back(api, &old).await;
            }
            Err(error)
        }
    };
    old.wipe();
    answer
}

/// What became of the exchange of two objects.
enum Exchange<K> {
    /// The new one is there.
    Done(K),
    /// Something else is there than was expected.
    Changed,
    /// The API server refused a step of it.
    Refused { error: PassError, is_removed: bool },
}

async fn exchange<K: TargetObject>(api: &Api<K>, id: &TargetId, old: &K, new: &K, before: &HeldTarget) -> Exchange<K> {
    let version = &old.meta().resource_version;
    if !before.uid.is_in(old.meta()) || version.as_ref() != Some(&before.resource_version) {
        return Exchange::Changed;
    }
    let preconditions =
        Preconditions { uid: Some(before.uid.as_str().to_owned()), resource_version: Some(before.resource_version.clone()) };
    let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    match K::call("remove a target that cannot be changed", api.delete(&id.name, &parameters)).await {
        Ok(_) => {}
        Err(error) if matches!(error.kubernetes_code(), Some(404 | 409)) => return Exchange::Changed,
        Err(error) => return Exchange::Refused { error, is_removed: false },
    }
    match K::call("create a target", api.create(&written_by_us(), new)).await {
        Ok(object) => Exchange::Done(object),
        Err(error) if error.kubernetes_code() == Some(409) => Exchange::Changed,
        Err(error) => Exchange::Refused { error, is_removed: true },
    }
}

/// Puts the old object back. If that fails as well, the next pass makes what can be made.
async fn put_back<K: TargetObject>(api: &Api<K>, old: &K) {
    let mut again = old.clone();
    let known = std::mem::take(again.meta_mut());
    *again.meta_mut() = ObjectMeta {
        name: known.name,
        namespace: known.namespace,
        labels: known.labels,
        annotations: known.annotations,
        owner_references: known.owner_references,
        ..ObjectMeta::default()
    };
    if let Err(error) = K::call("put a target back", api.create(&written_by_us(), &again)).await {
        tracing::warn!(%error, "a target could not be replaced, and the old one could not be put back");
    }
    again.wipe();
}
