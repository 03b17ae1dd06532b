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

/// Makes the sets before the operator starts, so that what is timed is its work and nobody else's. The floor is measured when it has ended.
pub async fn measure(sets: usize) {
    let mut playground = Playground::without_operator().await;
    playground.admin_api(json!({})).await;
    create(&playground, NAMESPACE, sets).await;
    playground.emulator.calls().clear();
    let mark = audit_mark(&playground);
    start(&mut playground).await;
    let idle = kibibytes(&playground, "VmRSS");
    let started = Instant::now();
    until_ready(&playground, sets).await;
    let took = started.elapsed().as_secs_f64();
    println!("{sets} sets by the operator, from its readiness to all Ready: {took:.1} s");
    let (now, most) = (kibibytes(&playground, "VmRSS"), kibibytes(&playground, "VmHWM"));
    println!("memory: {idle} KiB when ready, {now} KiB with all sets, {most} KiB at most");
    print("calls of the admin API:", &admin_calls(&playground));
    print("calls of Kubernetes:", &kubernetes_calls(&playground, mark));
    playground.stop_operator().await;

    playground.control_plane.namespace("bank").await;
    create(&playground, "bank", sets).await;
    let floor = floor::measure(&playground, "bank", AT_ONCE).await.as_secs_f64();
    println!("{sets} sets by bare calls, {AT_ONCE} at once: {floor:.1} s");
    println!("ratio: {:.2}", took / floor);
}
