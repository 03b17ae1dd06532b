//! Many fresh sets at once, and what a start costs when all are as planned.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    NAMESPACE,
    cluster::operator::Playground,
    floor,
    measure::{admin_calls, audit_mark, create, kibibytes, kubernetes_calls, print, processor_seconds, sets_looked_at, start, until_ready},
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
    println!("processor: {:.1} s", processor_seconds(&playground));
    print("calls of the admin API:", &admin_calls(&playground));
    print("calls of Kubernetes:", &kubernetes_calls(&playground, mark));
    playground.stop_operator().await;
    measure_start(&mut playground, sets).await;

    playground.control_plane.namespace("bank").await;
    create(&playground, "bank", sets).await;
    let floor = floor::measure(&playground, "bank", AT_ONCE).await.as_secs_f64();
    println!("{sets} sets by bare calls, {AT_ONCE} at once: {floor:.1} s");
    println!("ratio: {:.2}", took / floor);
}

/// A start when all sets are as planned: until each was looked at once.
async fn measure_start(playground: &mut Playground, sets: usize) {
    playground.emulator.calls().clear();
    let mark = audit_mark(playground);
    let started = Instant::now();
    start(playground).await;
    while sets_looked_at(playground) < sets {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("a start with {sets} sets as planned, until each was looked at: {:.1} s", started.elapsed().as_secs_f64());
    println!("memory: {} KiB at most, processor: {:.1} s", kibibytes(playground, "VmHWM"), processor_seconds(playground));
    print("calls of the admin API:", &admin_calls(playground));
    print("calls of Kubernetes:", &kubernetes_calls(playground, mark));
    playground.stop_operator().await;
}
