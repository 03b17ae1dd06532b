//! Takes single keys out of a Secret with private keys, when nobody knows the others: without the admin API its text is the only copy at hand.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt as _};
use zeroize::Zeroize as _;

use crate::jwk::Kid;
use crate::lifecycle::{self, HeldTarget, TargetContent, TargetId};
use crate::operator::{context::Context, error::PassError, kubernetes::call_secret};

/// The documents of a Secret that hold one of these keys, as they are and as they shall be; `None` if it is not the object any more that was
/// looked at, or holds none of them.
pub(super) async fn without_keys(
    id: &TargetId,
    kids: &BTreeSet<Kid>,
    held: &HeldTarget,
    cx: &Context,
) -> Result<Option<(HeldTarget, TargetContent)>, PassError> {
    let api = Api::<Secret>::namespaced(cx.client.clone(), &id.namespace);
    let Some(mut secret) = call_secret("read a target", api.get_opt(&id.name)).await? else { return Ok(None) };
    let is_same = held.uid.is_in(&secret.metadata) && secret.resource_version().as_deref() == Some(&held.resource_version);
    let documents = secret.data.iter().flatten();
    let left = documents.filter_map(|(key, bytes)| Some((key.clone(), lifecycle::without_keys(&bytes.0, kids)?)));
    let data: BTreeMap<_, _> = left.collect();
    secret.data.iter_mut().flat_map(BTreeMap::values_mut).for_each(|value| value.0.zeroize());
    if !is_same || data.is_empty() {
        return Ok(None);
    }
    let mut before = held.clone();
    before.content.data.retain(|key, _| data.contains_key(key));
    let wanted = TargetContent { data, ..held.content.own_part() };
    Ok(Some((before, wanted)))
}
