//! A resource as it is now, by what this process watched, wrote or read of it.

use std::sync::Arc;

use kube::{Api, Resource as _, ResourceExt as _, core::DeserializeGuard, runtime::reflector::ObjectRef};

use crate::operator::{context::Context, error::PassError, kubernetes::call, watch::metadata};
use crate::{api::JsonWebKeySet, lifecycle::Uid};

/// The resource as it is: the watched one unless this process read or wrote a version that the watch has not shown, then it is read again. A watch may lag behind our own
/// status, and a decision on an old status could use a kid twice.
pub(in crate::operator) async fn resource(cached: &JsonWebKeySet, cx: &Context) -> Result<Option<Arc<JsonWebKeySet>>, PassError> {
    let uid = Uid::of(cached);
    match cx.memory.latest(&uid) {
        Some(known) if known.resource_version() == cached.resource_version() => return Ok(Some(known)),
        None => return Ok(Some(Arc::new(cached.clone()))),
        Some(_) => {}
    }
    let api = Api::<JsonWebKeySet>::namespaced(cx.client.clone(), &cached.namespace().unwrap_or_default());
    let mut read = call("read the resource", api.get_opt(&cached.name_any())).await?.filter(|read| uid.is_in(&read.metadata));
    if let Some(resource) = &mut read {
        metadata::keep_own(resource.meta_mut());
    }
    let read = read.map(Arc::new);
    if let Some(resource) = &read {
        cx.memory.remember(&uid, resource.clone());
    }
    Ok(read)
}

/// Refuses to go on when another process may have taken over, or another operator has the resource.
pub(in crate::operator) fn require_leadership(resource: &JsonWebKeySet, cx: &Context) -> Result<(), PassError> {
    let watched = || {
        let namespace = resource.namespace().unwrap_or_default();
        cx.stores.sets.get(&ObjectRef::<DeserializeGuard<JsonWebKeySet>>::new(&resource.name_any()).within(&namespace))
    };
    let is_ours = cx.shard.is_none() || watched().is_none_or(|latest| cx.is_ours(latest.labels()));
    if cx.leadership.may_write() && is_ours { Ok(()) } else { Err(PassError::KeepLeading) }
}
