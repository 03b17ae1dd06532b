//! The shell: watch, observe, apply, publish, report. It decides nothing; every decision is a question to [`crate::lifecycle`].

mod admin_api;
mod admission;
mod apply;
mod changes;
mod claims;
mod connections;
mod context;
mod credentials;
mod departed;
mod error;
mod finalizer;
mod kubernetes;
mod lease;
mod memory;
mod metadata;
mod metrics;
mod pass;
mod permissions;
mod queue;
mod reconcile;
mod repairs;
mod report;
mod run;
mod shard;
mod sources;
mod span;
mod targets;
mod triggers;
mod turns;
mod unparsable;
mod watch;

pub use lease::{LeaseSettings, LostLease};
pub use metrics::Metrics;
pub use permissions::{Installation, chart_rules, operator_yaml, users_yaml};
pub use run::{Settings, run};
pub use shard::{ParseSelectorError, Shard};
