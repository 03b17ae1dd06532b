//! The targets that are there when the operator starts, read in pages, so that no pass has to ask for each.

use kube::{Api, ResourceExt as _, api::ListParams};

use super::target_object::{self, TargetObject};
use crate::operator::{context::Context, error::PassError, watch::metadata};
use crate::{
    api::{FIELD_MANAGER, MANAGED_BY_LABEL, TargetKind},
    lifecycle::TargetId,
};

/// How many objects a page has. Each may be as large as etcd allows, and whoever may label one chooses its size: a page of them must fit into
/// the memory that the chart grants.
const PAGE: u32 = 25;

/// Reads all targets of a kind and remembers what they hold: in these namespaces, or everywhere if there are none. An object that no known
/// resource controls is dropped.
///
/// # Errors
/// If a page cannot be read. Passes read what is missing one by one then.
pub(in crate::operator) async fn read<K: TargetObject>(kind: TargetKind, namespaces: &[String], cx: &Context) -> Result<(), PassError> {
    let apis: Vec<Api<K>> = match namespaces {
        [] => vec![Api::all(cx.client.clone())],
        some => some.iter().map(|namespace| Api::namespaced(cx.client.clone(), namespace)).collect(),
    };
    for api in apis {
        let mut page = ListParams::default().labels(&format!("{MANAGED_BY_LABEL}={FIELD_MANAGER}")).limit(PAGE);
        loop {
            let listed = K::call("list targets", api.list(&page)).await?;
            listed.items.into_iter().for_each(|object| remember(kind, object, cx));
            page.continue_token = listed.metadata.continue_.filter(|token| !token.is_empty());
            if page.continue_token.is_none() {
                break;
            }
        }
    }
    Ok(())
}

fn remember<K: TargetObject>(kind: TargetKind, object: K, cx: &Context) {
    let id = TargetId { kind, namespace: object.namespace().unwrap_or_default(), name: object.name_any() };
    let owner = metadata::controller_uid(object.meta());
    let held = target_object::held(object);
    if let Some(owner) = owner {
        cx.memory.remember_target(&owner, &id, Some(held));
    }
}
