//! What a person types.

mod adopt;
mod crds;
mod hardening;
mod health;
mod json_lines;
mod logging;
mod plain_lines;
mod rbac;
mod run;
#[cfg_attr(not(feature = "otlp"), path = "no_traces.rs")]
mod traces;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::escape::escaped;

/// Makes the JSON Web Key Sets of Ory Hydra match JsonWebKeySet resources.
#[derive(Debug, Parser)]
#[command(name = "jwk-operator", version, about, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    logging: logging::LoggingOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator.
    Run(run::RunOptions),
    /// Print the CustomResourceDefinitions as YAML.
    Crds(crds::CrdsOptions),
    /// Print the roles of the operator, or of its users, as YAML.
    Rbac(rbac::RbacOptions),
    /// Wait until an operator is ready.
    Health(health::HealthOptions),
    /// Print the JsonWebKeySet that adopts a remote set as it is.
    Adopt(adopt::AdoptOptions),
    /// Emulate the admin API of Ory Hydra on a local port, for tests and demos.
    #[cfg(feature = "emulator")]
    Emulator(crate::hydra::emulator::EmulatorOptions),
}

/// How many threads work at the most.
const MOST_THREADS: usize = 4;

/// Runs what was typed.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // Only the operator has spans worth sending.
    let traces = match &cli.command {
        Command::Run(_) => traces::Traces::from_environment(),
        _ => Ok(traces::Traces::none()),
    };
    let traces = match traces {
        Ok(traces) => traces,
        Err(error) => return failed(&error),
    };
    logging::start(&cli.logging, &traces);
    // Before anything opens a connection: two libraries use the process-wide provider, and one of them only finds it.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider is installed already");
    }
    let result = match cli.command {
        Command::Crds(options) => crds::print(&options),
        Command::Rbac(options) => rbac::print(&options),
        Command::Health(options) => block_on(health::ask(options)),
        Command::Adopt(options) => block_on(adopt::print(options)),
        Command::Run(options) => {
            hardening::harden();
            block_on(run::run(options))
        }
        #[cfg(feature = "emulator")]
        Command::Emulator(options) => block_on(async { Ok(crate::hydra::emulator::run(options, run::signal()).await?) }),
    };
    traces.end();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("jwk-operator: {}", escaped(&format!("{error:#}")));
    ExitCode::FAILURE
}

fn block_on(task: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    // The work is waiting. On a machine of many cores a thread for each would only cost memory.
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(MOST_THREADS));
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?.block_on(task)
}
