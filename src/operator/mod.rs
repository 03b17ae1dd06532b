//! The shell: watch, observe, apply, publish, report. It decides nothing; every decision is a question to [`crate::lifecycle`].

mod admin_api;
mod api_status;
mod contained;
mod context;
mod error;
mod key_set;
mod kubernetes;
mod lease;
mod memory;
mod metrics;
mod permissions;
mod publication;
mod repeats;
mod run;
mod settings;
mod shard;
mod span;
mod waits;
mod watch;
mod writes;

pub use lease::{LeaseSettings, LostLease};
pub use metrics::Metrics;
pub use permissions::{Installation, chart_rules, operator_yaml, users_yaml};
pub use run::run;
pub use settings::Settings;
pub use shard::{ParseSelectorError, Shard};
