//! Sends spans to a collector, by OTLP over HTTP, as the environment says: the variables are those of OpenTelemetry.

use std::{env, time::Duration};

use anyhow::{Context as _, bail};
use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    resource::{EnvResourceDetector, TelemetryResourceDetector},
    trace::SdkTracerProvider,
};
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

/// Where spans go; for those alone, then for everything.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// How long the end of the process may wait for spans that are not sent yet.
const LAST_SPANS: Duration = Duration::from_secs(5);
/// How long one request to the collector may take.
const REQUEST: Duration = Duration::from_secs(10);

/// What sends spans, if anything does.
pub(super) struct Traces {
    provider: Option<SdkTracerProvider>,
}

impl Traces {
    /// Sends nothing.
    pub(super) fn none() -> Self {
        Self { provider: None }
    }

    /// Sends spans if the environment names a collector.
    ///
    /// This must not be called by an asynchronous task: requests are sent by a thread that waits for them.
    ///
    /// # Errors
    /// If the address is none, or another protocol is asked for.
    pub(super) fn from_environment() -> anyhow::Result<Self> {
        let is_disabled = set("OTEL_SDK_DISABLED").is_some_and(|disabled| disabled.eq_ignore_ascii_case("true"));
        let Some(endpoint) = ENDPOINTS.into_iter().find_map(set).filter(|_| !is_disabled) else { return Ok(Self::none()) };
        for variable in ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"] {
            if let Some(protocol) = set(variable).filter(|protocol| protocol != "http/protobuf") {
                bail!("{variable} is {protocol}, but must be http/protobuf: name a port of the collector that accepts it");
            }
        }
        let mut http = reqwest::blocking::Client::builder().no_proxy().timeout(REQUEST);
        if endpoint.starts_with("http:") {
            // An image may have no certificates, and none are needed.
            http = http.tls_certs_only([]);
        }
        let http = http.build().context("the connection to the collector of spans cannot be set up")?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(http)
            .with_protocol(Protocol::HttpBinary)
            .build()
            .context("spans cannot be sent to the collector that the environment names")?;
        // What the environment says of the service counts instead of these: each overrides the one before.
        let mut resource = Resource::builder_empty()
            .with_service_name("jwk-operator")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attributes(set("POD_NAME").map(|pod| KeyValue::new("k8s.pod.name", pod)))
            .with_detector(Box::new(TelemetryResourceDetector))
            .with_detector(Box::new(EnvResourceDetector::new()));
        if let Some(name) = set("OTEL_SERVICE_NAME") {
            resource = resource.with_service_name(name);
        }
        let provider = SdkTracerProvider::builder().with_resource(resource.build()).with_batch_exporter(exporter).build();
        Ok(Self { provider: Some(provider) })
    }

    /// What turns the spans of the operator into ones that are sent. Those of libraries are not: some repeat what they send and receive.
    pub(super) fn layer<S: Subscriber + for<'span> LookupSpan<'span>>(&self) -> Option<impl Layer<S> + use<S>> {
        let tracer = self.provider.as_ref()?.tracer("jwk-operator");
        let layer = tracing_opentelemetry::layer().with_tracer(tracer).with_threads(false).with_location(false).with_target(false);
        Some(layer.with_filter(Targets::new().with_target("jwk_operator", LevelFilter::INFO)))
    }

    pub(super) fn tell(&self) {
        if self.provider.is_some() {
            // Without the address: it may hold credentials.
            tracing::info!("spans are sent to the collector that the environment names");
        }
    }

    /// Sends what is not sent yet.
    pub(super) fn end(&self) {
        if let Some(provider) = &self.provider
            && let Err(error) = provider.shutdown_with_timeout(LAST_SPANS)
        {
            tracing::warn!(%error, "the last spans could not be sent");
        }
    }
}

fn set(variable: &str) -> Option<String> {
    env::var(variable).ok().filter(|value| !value.is_empty())
}
