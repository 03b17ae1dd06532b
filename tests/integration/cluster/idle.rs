//! What the operator costs when there is nothing to do, measured from outside.

use std::{net::TcpListener, process::Command, time::Duration};

use futures::{StreamExt as _, stream};
use serde_json::json;

use super::{
    operator::{Playground, generated},
    released,
};

/// How many sets, unless `IDLE_SETS` says otherwise.
const SETS: usize = 100;
const IDLE: Duration = Duration::from_secs(60);
/// The ticks of a second in which the system counts processor time.
const TICKS: u64 = 100;

/// Kilobytes of memory that the operator's process holds.
fn resident(playground: &Playground) -> u64 {
    let status = playground.process("status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim().trim_end_matches(" kB").parse().expect("kilobytes")
}

/// Ticks of processor time that the operator's process used.
fn ticks(playground: &Playground) -> u64 {
    let stat = playground.process("stat");
    let (_, fields) = stat.rsplit_once(") ").expect("fields");
    fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("ticks")).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_sets_at_rest_cost_no_write_little_memory_and_hardly_any_time() {
    let sets = std::env::var("IDLE_SETS").map_or(SETS, |sets| sets.parse().expect("a number"));
    let mut playground = Playground::without_operator().await;
    playground.admin_api(json!({})).await;
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let mut released = Command::new(released::program_as_released());
    released.args(["run", "--namespace", "jwk-operator", &format!("--serve=127.0.0.1:{port}")]);
    released.env("KUBECONFIG", playground.control_plane.operator_kubeconfig().await);
    playground.start_command(released, port).await;

    let rotated = json!({ "name": "signing", "generate": { "alg": "ES256" }, "rotation": { "interval": "720h" } });
    let each = stream::iter(0..sets).for_each_concurrent(8, async |number| {
        let keys = if number % 2 == 0 { json!([rotated]) } else { json!([generated("signing", "EdDSA")]) };
        playground.apply("shop", &format!("set-{number}"), json!({ "keys": keys })).await;
        playground.until_ready("shop", &format!("set-{number}")).await;
    });
    each.await;
    let all = || playground.control_plane.operator_writes();
    let rest = || all().into_iter().filter(|resource| resource != "leases").collect::<Vec<_>>();
    // What a pass writes last: that the AdminApi is in use, and events.
    let mut before = rest();
    loop {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let now = rest();
        if std::mem::replace(&mut before, now.clone()).len() == now.len() {
            break;
        }
    }

    let (used, leases) = (ticks(&playground), all().len() - before.len());
    tokio::time::sleep(IDLE).await;
    let used = ticks(&playground) - used;
    let memory = resident(&playground);
    let renewals = all().len() - rest().len() - leases;
    eprintln!(
        "{sets} sets at rest for {} s: {memory} kB, {} ms of processor time, {renewals} writes of the Lease",
        IDLE.as_secs(),
        used * 1000 / TICKS
    );
    assert_eq!(rest()[before.len()..], [""; 0], "nothing is written but the Lease");
    assert!(renewals > 0, "the Lease is held");
    if sets > SETS {
        return;
    }
    assert!(memory < 40 << 10, "{memory} kB");
    assert!(used * 100 < IDLE.as_secs() * TICKS, "{used} ticks are one percent of a core or more");
}
