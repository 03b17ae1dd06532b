//! Logs on standard error, for people or for machines.

use std::io::IsTerminal as _;

use clap::{Args, ValueEnum};
use tracing_subscriber::{EnvFilter, Layer as _, filter::LevelFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

#[derive(Debug, Args)]
pub(super) struct LoggingOptions {
    /// How much the operator tells of its own work. What libraries tell stays at `warn`: at finer levels some of them repeat what they
    /// send and receive.
    #[arg(long, global = true, env = "JWK_OPERATOR_LOG_LEVEL", default_value = "info")]
    log_level: LogLevel,
    /// How a line looks.
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

/// Starts logging. A second start changes nothing.
pub(super) fn start(options: &LoggingOptions) {
    let level = match options.log_level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // No environment variable can widen this: the bound on libraries is what keeps key material out of logs.
    // kube's client repeats a whole answer that it cannot parse, at `warn`.
    let filter = EnvFilter::new(format!("warn,kube_client::client=error,jwk_operator={level}"));
    let layer = match options.log_format {
        LogFormat::Text => fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal()).with_target(false).boxed(),
        LogFormat::Json => fmt::layer().with_writer(std::io::stderr).json().flatten_event(true).boxed(),
    };
    if tracing_subscriber::registry().with(layer.with_filter(filter)).try_init().is_err() {
        tracing::debug!("logging is started already");
    }
}
