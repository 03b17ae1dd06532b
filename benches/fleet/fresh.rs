//! Many fresh sets at once.

use std::time::Instant;

use serde_json::json;

use crate::{
    NAMESPACE,
    cluster::operator::Playground,
    floor,
    measure::{admin_calls, audit_mark, create, kibibytes, kubernetes_calls, print, start, until_ready},
};

/// As many sets as the operator works on at once by default.
const AT_ONCE: usize = 16;

/// Makes the sets before the operator starts, so that what is timed is its work and nobody else's.
pub async fn measure(sets: usize) {
    let mut playground = Playground::without_operator().await;
    playground.admin_api(json!({})).await;
    playground.control_plane.namespace("bank").await;
    create(&playground, "bank", sets).await;
    let floor = floor::measure(&playground, "bank", AT_ONCE).await;
    println!("{sets} sets by bare calls, {AT_ONCE} at once: {:.1} s", floor.as_secs_f64());
    // They stay as they are: the operator is not to work on them.
    release(&playground, "bank").await;

    create(&playground, NAMESPACE, sets).await;
    playground.emulator.calls().clear();
    let mark = audit_mark(&playground);
    start(&mut playground).await;
    let idle = kibibytes(&playground, "VmRSS");
    let started = Instant::now();
    until_ready(&playground, sets).await;
    let took = started.elapsed();
    println!("{sets} sets by the operator, from its readiness to all Ready: {:.1} s", took.as_secs_f64());
    println!("ratio: {:.2}", took.as_secs_f64() / floor.as_secs_f64());
    println!(
        "memory: {} KiB when ready, {} KiB with all sets, {} KiB at most",
        idle,
        kibibytes(&playground, "VmRSS"),
        kibibytes(&playground, "VmHWM")
    );
    print("calls of the admin API:", &admin_calls(&playground));
    print("calls of Kubernetes:", &kubernetes_calls(&playground, mark));
}

/// Removes what the floor left.
async fn release(playground: &Playground, namespace: &str) {
    use jwk_operator::api::JsonWebKeySet;
    use kube::{
        Api,
        api::{DeleteParams, ListParams, Patch, PatchParams},
    };
    let api: Api<JsonWebKeySet> = Api::namespaced(playground.control_plane.administrator.clone(), namespace);
    api.delete_collection(&DeleteParams::default(), &ListParams::default()).await.expect("deleted");
    let left = api.list_metadata(&ListParams::default()).await.expect("a list").items;
    let free = json!({ "metadata": { "finalizers": null } });
    futures::StreamExt::for_each_concurrent(futures::stream::iter(left), AT_ONCE, async |set| {
        let name = set.metadata.name.unwrap_or_default();
        api.patch_metadata(&name, &PatchParams::default(), &Patch::Merge(&free)).await.expect("released");
    })
    .await;
}
