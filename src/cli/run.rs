//! `jwk-operator run`.

use std::net::SocketAddr;

use anyhow::Context as _;
use clap::Args;
use futures::FutureExt as _;
use kube::{Client, Config};

use crate::{operator, serve};

#[derive(Debug, Args)]
pub(super) struct RunOptions {
    /// The namespace the operator runs in, where AdminApis find their Secrets. Absent: the namespace of the kubeconfig or of the pod.
    #[arg(long, env = "POD_NAMESPACE")]
    namespace: Option<String>,
    /// Work on the resources of this namespace only. Repeatable, or separated by commas. Absent: of all namespaces.
    #[arg(long, env = "JWK_OPERATOR_WATCH_NAMESPACES", value_name = "NAMESPACE", value_delimiter = ',')]
    watch_namespace: Vec<String>,
    /// Reach admin APIs through the proxy of HTTPS_PROXY, HTTP_PROXY and NO_PROXY. It sees what is sent over plain http.
    #[arg(long, env = "JWK_OPERATOR_ENVIRONMENT_PROXY")]
    environment_proxy: bool,
    /// Where /healthz, /readyz and /metrics are served.
    #[arg(long, env = "JWK_OPERATOR_SERVE", default_value = "0.0.0.0:8080", value_name = "ADDRESS")]
    serve: SocketAddr,
}

pub(super) async fn run(options: RunOptions) -> anyhow::Result<()> {
    let mut config = Config::infer().await.context("there is neither a kubeconfig nor a pod's service account to reach Kubernetes with")?;
    if let Some(namespace) = options.namespace {
        config.default_namespace = namespace;
    }
    tracing::info!(version = env!("CARGO_PKG_VERSION"), kubernetes = %config.cluster_url, namespace = %config.default_namespace, "starting");
    let client = Client::try_from(config).context("the connection to Kubernetes cannot be set up")?;
    let readiness = serve::Readiness::default();
    let shutdown = signal().shared();
    let served = serve::serve(options.serve, readiness.clone(), shutdown.clone());
    let settings = operator::Settings { watched_namespaces: options.watch_namespace, uses_environment_proxy: options.environment_proxy };
    let operated = operator::run(client, settings, readiness, shutdown);
    // Without health the operator must not run on: nobody would notice when it hangs.
    let served = async { served.await.with_context(|| format!("cannot serve on {}", options.serve)) };
    let operated = async {
        operated.await;
        anyhow::Ok(())
    };
    futures::try_join!(served, operated).map(|_| ())
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
    tracing::info!("asked to end: finishing what is in progress");
    tokio::spawn(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(130);
        }
    });
}
