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
use prometheus_client::{encoding::text::encode, registry::Registry};

/// Whether the operator has seen everything it watches, or stands by for the one that works.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    has_listed: Arc<AtomicBool>,
    stands_by: Arc<AtomicBool>,
}

impl Readiness {
    /// From now on everything that is watched was listed.
    pub fn set(&self) {
        self.has_listed.store(true, Ordering::Release);
    }

    /// Whether it was.
    pub fn is_set(&self) -> bool {
        self.has_listed.load(Ordering::Acquire)
    }

    /// Another process works, and this one can take over.
    pub fn stands_by(&self) {
        self.stands_by.store(true, Ordering::Release);
    }

    /// This process works from now on.
    pub fn leads(&self) {
        self.stands_by.store(false, Ordering::Release);
    }

    fn is_ready(&self) -> bool {
        self.is_set() || self.stands_by.load(Ordering::Acquire)
    }
}

#[derive(Clone)]
struct Served {
    readiness: Readiness,
    registry: Arc<Registry>,
}

/// Serves `/healthz` (the process runs), `/readyz` (every watch has listed, or the process stands by) and `/metrics` (OpenMetrics) until `shutdown` resolves.
///
/// # Errors
/// If the address cannot be listened on.
pub async fn serve(
    address: SocketAddr,
    readiness: Readiness,
    registry: Registry,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    tracing::info!(address = %listener.local_addr()?, "serving health and metrics");
    let routes = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Served { readiness, registry: Arc::new(registry) });
    axum::serve(listener, routes).with_graceful_shutdown(shutdown).await
}

async fn ready(State(served): State<Served>) -> impl IntoResponse {
    if served.readiness.is_ready() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: the resources are still being listed")
    }
}

async fn metrics(State(served): State<Served>) -> impl IntoResponse {
    let mut text = String::new();
    match encode(&mut text, &served.registry) {
        Ok(()) => (StatusCode::OK, [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain")], "the metrics cannot be written".to_owned()),
    }
}
