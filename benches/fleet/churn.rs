//! Sets that come and go: what is left of them in memory.

use std::time::Duration;

use serde_json::json;

use crate::{
    NAMESPACE,
    cluster::operator::Playground,
    measure::{create, delete, kibibytes, ready, start, until_ready},
};

/// How often all sets are made and deleted.
const ROUNDS: usize = 3;
/// After so long the event recorder has forgotten what it saw.
const FORGOTTEN: Duration = Duration::from_secs(6 * 60 + 10);

pub async fn measure(sets: usize) {
    let mut playground = Playground::without_operator().await;
    playground.admin_api(json!({})).await;
    start(&mut playground).await;
    println!("memory: {} KiB when ready", kibibytes(&playground, "VmRSS"));
    for round in 1..=ROUNDS {
        create(&playground, NAMESPACE, sets).await;
        until_ready(&playground, sets).await;
        delete(&playground, sets).await;
        while playground.emulator.store().sets().values().any(|keys| !keys.is_empty()) || ready(&playground).await > 0 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let at_once = kibibytes(&playground, "VmRSS");
        tokio::time::sleep(FORGOTTEN).await;
        let later = kibibytes(&playground, "VmRSS");
        println!("memory: {at_once} KiB after round {round} of {sets} sets, {later} KiB six minutes later");
    }
    println!("memory: {} KiB at most", kibibytes(&playground, "VmHWM"));
}
