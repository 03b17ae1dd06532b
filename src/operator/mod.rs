//! The shell: watch, observe, apply, publish, report. It decides nothing; every decision is a question to [`crate::lifecycle`].

mod admin_api;
mod apply;
mod claims;
mod connections;
mod context;
mod credentials;
mod error;
mod finalizer;
mod generations;
mod kubernetes;
mod memory;
mod pass;
mod reconcile;
mod report;
mod run;
mod sources;
mod targets;
mod unparsable;

pub use run::run;
