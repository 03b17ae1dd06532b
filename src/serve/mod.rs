//! Health and metrics over HTTP.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use prometheus_client::{encoding::text::encode, metrics::info::Info, registry::Registry};

/// Whether the operator has seen everything it watches.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// From now on the operator is ready.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it is.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[derive(Clone)]
struct Served {
    readiness: Readiness,
    registry: Arc<Registry>,
}

/// Serves `/healthz` (the process runs), `/readyz` (every watch has listed) and `/metrics` (OpenMetrics) until `shutdown` resolves.
///
/// # Errors
/// If the address cannot be listened on.
pub async fn serve(address: SocketAddr, readiness: Readiness, shutdown: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    tracing::info!(address = %listener.local_addr()?, "serving health and metrics");
    let routes = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Served { readiness, registry: Arc::new(registry()) });
    axum::serve(listener, routes).with_graceful_shutdown(shutdown).await
}

async fn ready(State(served): State<Served>) -> impl IntoResponse {
    if served.readiness.is_set() { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "still listing what there is") }
}

async fn metrics(State(served): State<Served>) -> impl IntoResponse {
    let mut text = String::new();
    match encode(&mut text, &served.registry) {
        Ok(()) => (StatusCode::OK, [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain")], "the metrics cannot be written".to_owned()),
    }
}

fn registry() -> Registry {
    let mut registry = Registry::with_prefix("jwk_operator");
    registry.register("build", "The version of this build", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
    registry
}
