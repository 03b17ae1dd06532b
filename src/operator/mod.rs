//! The shell: watch, observe, apply, publish, report. It decides nothing; every decision is a question to [`crate::lifecycle`].

mod admin_api;
mod apply;
mod claims;
mod connections;
mod context;
mod credentials;
mod departed;
mod error;
mod finalizer;
mod generations;
mod kubernetes;
mod memory;
mod pass;
mod permissions;
mod reconcile;
mod report;
mod run;
mod sources;
mod targets;
mod unparsable;
mod watch;

pub use permissions::{operator_yaml, users_yaml};
pub use run::{Settings, run};
