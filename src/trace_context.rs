//! The trace that the work at hand belongs to (W3C Trace Context): for the admin API, which may log it or add to it, and for the log.

use tracing::Span;

/// The value of the header `traceparent`: version, trace, span, and whether the span is recorded. `None` if no spans are sent.
pub(crate) fn traceparent(span: &Span) -> Option<String> {
    let context = span_context(span)?;
    Some(format!("00-{}-{}-{:02x}", context.trace_id(), context.span_id(), context.trace_flags().to_u8()))
}

/// The trace alone. `None` if no spans are sent.
pub(crate) fn trace_id(span: &Span) -> Option<String> {
    span_context(span).map(|context| context.trace_id().to_string())
}

fn span_context(span: &Span) -> Option<opentelemetry::trace::SpanContext> {
    use opentelemetry::trace::TraceContextExt as _;
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    Some(span.context().span().span_context().clone()).filter(opentelemetry::trace::SpanContext::is_valid)
}
