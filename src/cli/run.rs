//! `jwk-operator run`.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use clap::{ArgAction, Args};
use futures::FutureExt as _;
use kube::{Client, Config};

use crate::{operator, serve};

#[derive(Debug, Args)]
pub(super) struct RunOptions {
    /// The namespace the operator runs in, where AdminApis find their Secrets. Defaults to the namespace of the kubeconfig or of the pod.
    #[arg(long, env = "POD_NAMESPACE")]
    namespace: Option<String>,
    /// Work on the resources of this namespace only. Repeatable, or separated by commas. Defaults to all namespaces.
    #[arg(long, env = "JWK_OPERATOR_WATCH_NAMESPACES", value_name = "NAMESPACE", value_delimiter = ',')]
    watch_namespace: Vec<String>,
    /// Work on the resources with these labels only, written as in `kubectl --selector`, when several operators share the resources. Each of them
    /// needs a Lease of its own.
    #[arg(long, env = "JWK_OPERATOR_SELECTOR", value_name = "SELECTOR", requires = "lease_name")]
    selector: Option<operator::Shard>,
    /// Compete for a Lease, so that one of several processes works and the others stand by.
    #[arg(long, env = "JWK_OPERATOR_LEADER_ELECTION", default_value_t = true, action = ArgAction::Set, value_name = "BOOL")]
    leader_election: bool,
    /// The name of the Lease, in the namespace the operator runs in. Defaults to jwk-operator.
    #[arg(long, env = "JWK_OPERATOR_LEASE_NAME", value_name = "NAME")]
    lease_name: Option<String>,
    /// How many seconds the other processes wait after the Lease was last renewed. The process that works stops after two thirds of that time.
    #[arg(long, env = "JWK_OPERATOR_LEASE_DURATION", default_value_t = 15, value_parser = clap::value_parser!(u32).range(5..=3600), value_name = "SECONDS")]
    lease_duration: u32,
    /// Reach admin APIs through the proxy of HTTPS_PROXY, HTTP_PROXY and NO_PROXY. The proxy sees what is sent over plain http.
    #[arg(long, env = "JWK_OPERATOR_ENVIRONMENT_PROXY")]
    environment_proxy: bool,
    /// Export metrics with the name of each resource: its state, the age of its signer, the time to its next rotation.
    #[arg(long, env = "JWK_OPERATOR_METRICS_FOR_EACH_RESOURCE", default_value_t = true, action = ArgAction::Set, value_name = "BOOL")]
    metrics_for_each_resource: bool,
    /// The address at which /healthz, /readyz and /metrics are served.
    #[arg(long, env = "JWK_OPERATOR_SERVE", default_value = "0.0.0.0:8080", value_name = "ADDRESS")]
    serve: SocketAddr,
}

pub(super) async fn run(options: RunOptions) -> anyhow::Result<()> {
    let mut config =
        Config::infer().await.context("Kubernetes cannot be reached: there is neither a kubeconfig nor the service account of a pod")?;
    if let Some(namespace) = options.namespace {
        config.default_namespace = namespace;
    }
    tracing::info!(version = env!("CARGO_PKG_VERSION"), kubernetes = %config.cluster_url, namespace = %config.default_namespace, "starting");
    let client = Client::try_from(config).context("the connection to Kubernetes cannot be set up")?;
    let (metrics, registry) = operator::Metrics::new(options.metrics_for_each_resource);
    let readiness = serve::Readiness::default();
    let shutdown = signal().shared();
    let served = serve::serve(options.serve, readiness.clone(), registry, shutdown.clone());
    let lease = options.leader_election.then(|| operator::LeaseSettings {
        name: options.lease_name.unwrap_or_else(|| "jwk-operator".to_owned()),
        identity: identity(),
        duration: Duration::from_secs(options.lease_duration.into()),
    });
    let settings = operator::Settings {
        watched_namespaces: options.watch_namespace,
        shard: options.selector,
        lease,
        uses_environment_proxy: options.environment_proxy,
    };
    let operated = operator::run(client, settings, metrics, readiness, shutdown);
    // Without health the operator must not run on: nobody would notice when it hangs.
    let served = async { served.await.with_context(|| format!("cannot serve on {}", options.serve)) };
    let operated = async { operated.await.map_err(anyhow::Error::from) };
    futures::try_join!(served, operated).map(|_| ())
}

/// Who this process is: its pod, and something that no other process of this pod has.
fn identity() -> String {
    let pod = std::env::var("POD_NAME").or_else(|_| std::env::var("HOSTNAME")).unwrap_or_else(|_| "jwk-operator".to_owned());
    format!("{pod}_{:016x}", fastrand::u64(..))
}

/// Resolves when the process is asked to end. A second request ends it at once.
pub(super) async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let wait = async {
        match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
            (Ok(mut terminate), Ok(mut interrupt)) => {
                futures::future::select(Box::pin(terminate.recv()), Box::pin(interrupt.recv())).await;
            }
            _ => futures::future::pending().await,
        }
    };
    wait.await;
    tracing::info!("asked to stop: finishing what is in progress");
    tokio::spawn(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(130);
        }
    });
}
