//! What a fleet of sets costs: time, calls at both servers and memory, beside the bare calls that the work cannot do without.
//!
//! usage: fleet fresh SETS | fleet churn SETS
//!
//! The operator is the program of the image, with the service account of `deploy/rbac` and the default limits, in front of a control plane and
//! an emulator of their own. Figures are printed and nothing is asserted: they are of this machine.

#![allow(clippy::expect_used, missing_docs, reason = "a program for developers")]

mod churn;
mod cluster;
mod floor;
mod fresh;
mod measure;

#[allow(dead_code, reason = "of the tests, which use more of it")]
#[path = "../../tests/integration/raw_http.rs"]
mod raw_http;

/// The namespace of the sets that the operator works on.
const NAMESPACE: &str = "shop";

#[tokio::main]
async fn main() {
    // Cargo adds an argument of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let sets = || arguments.get(1).and_then(|sets| sets.parse().ok()).unwrap_or_else(usage);
    match arguments.first().map(String::as_str) {
        Some("fresh") => fresh::measure(sets()).await,
        Some("churn") => churn::measure(sets()).await,
        _ => usage(),
    }
}

fn usage<T>() -> T {
    eprintln!("usage: fleet fresh SETS | fleet churn SETS");
    std::process::exit(2);
}
