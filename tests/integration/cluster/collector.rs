//! A collector of spans.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message as _;
use tokio::{net::TcpListener, task::JoinHandle};

/// Keeps what it is sent. It ends when it is dropped.
pub struct Collector {
    url: String,
    bodies: Arc<Mutex<Vec<Bytes>>>,
    task: JoinHandle<()>,
}

impl Collector {
    pub async fn start() -> Self {
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = bodies.clone();
        let keep = move |body: Bytes| async move { kept.lock().expect("a lock").push(body) };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().route("/v1/traces", post(keep));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("served") });
        Self { url, bodies, task }
    }

    /// The variable that makes an operator send its spans here.
    pub fn variable(&self) -> (&'static str, String) {
        ("OTEL_EXPORTER_OTLP_ENDPOINT", self.url.clone())
    }

    /// What was sent, as it came.
    pub fn bodies(&self) -> Vec<Bytes> {
        self.bodies.lock().expect("a lock").clone()
    }

    /// The spans that were sent, each with the attribute `service.name` of its sender.
    pub fn spans(&self) -> Vec<(String, Span)> {
        let requests = self.bodies().into_iter().map(|body| ExportTraceServiceRequest::decode(body).expect("spans"));
        let resources = requests.flat_map(|request| request.resource_spans);
        let spans = resources.flat_map(|sent| {
            let service = attribute(&sent.resource.unwrap_or_default().attributes, "service.name").unwrap_or_default();
            sent.scope_spans.into_iter().flat_map(|scope| scope.spans).map(move |span| (service.clone(), span))
        });
        spans.collect()
    }
}

/// An attribute as text.
pub fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    match &attributes.iter().find(|attribute| attribute.key == key)?.value {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => Some(text.clone()),
        Some(AnyValue { value: Some(Value::IntValue(number)) }) => Some(number.to_string()),
        _ => None,
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}
