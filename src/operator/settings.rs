//! The settings of the operator.

use super::{lease::LeaseSettings, shard::Shard};

/// The settings of the operator.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The namespaces whose resources it works on; empty for all. What other namespaces hold is neither seen nor counted: not as the owner of
    /// a set, nor as a user of an AdminApi.
    pub watched_namespaces: Vec<String>,
    /// The resources that it works on, by their labels; `None` for all. The others are watched too, as owners of sets.
    pub shard: Option<Shard>,
    /// The Lease that one of several operators holds; `None` if there is only one.
    pub lease: Option<LeaseSettings>,
    /// Whether admin APIs are reached through the proxy that the environment names.
    pub uses_environment_proxy: bool,
}
