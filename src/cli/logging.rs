//! Logs on standard error, for people or for machines, and spans to a collector.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    panic::PanicHookInfo,
};

use clap::{Args, ValueEnum};
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, filter::LevelFilter, fmt, fmt::format::JsonFields, layer::SubscriberExt as _, registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use super::{json_lines::JsonLines, plain_lines::PlainLines, traces::Traces};

#[derive(Debug, Args)]
pub(super) struct LoggingOptions {
    /// The log level of the operator itself. Libraries stay at `warn`: at finer levels some of them log what they send and receive.
    #[arg(long, global = true, env = "JWK_OPERATOR_LOG_LEVEL", default_value = "info")]
    log_level: LogLevel,
    /// The format of the log lines.
    #[arg(long, global = true, env = "JWK_OPERATOR_LOG_FORMAT", default_value = "text")]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// Starts logging, and sending spans if `traces` are. A second start changes nothing.
pub(super) fn start(options: &LoggingOptions, traces: &Traces) {
    let level = match options.log_level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // No environment variable can widen this: the bound on libraries is what keeps key material out of logs.
    // kube's client repeats a whole answer that it cannot parse, at `warn`.
    // Of a collector that is away one line for each try is enough.
    let filter =
        EnvFilter::new(format!("warn,kube_client::client=error,opentelemetry_otlp=error,opentelemetry_sdk=error,jwk_operator={level}"));
    let subscriber = tracing_subscriber::registry().with(traces.layer()).with(lines(options.log_format).with_filter(filter));
    if subscriber.try_init().is_err() {
        tracing::debug!("logging is started already");
    }
    std::panic::set_hook(Box::new(log_panic));
    traces.tell();
}

/// Logs a panic in a line like any other, instead of some that no log store can read. Its message may hold what came from outside.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("without a message");
    let location = panic.location().map(ToString::to_string);
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(location, backtrace, "a thread panicked: {message}");
}

/// What writes the lines.
fn lines<S: Subscriber + for<'span> LookupSpan<'span>>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync> {
    match format {
        LogFormat::Text => fmt::layer().with_writer(std::io::stderr).with_ansi(false).event_format(PlainLines::new()).boxed(),
        LogFormat::Json => fmt::layer().with_writer(std::io::stderr).fmt_fields(JsonFields::new()).event_format(JsonLines).boxed(),
    }
}
