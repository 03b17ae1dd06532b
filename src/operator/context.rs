//! What every reconcile shares.

use std::time::Instant;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::{
    Client,
    core::{DeserializeGuard, PartialObjectMeta},
    runtime::reflector::{ObjectRef, Store},
};

use super::{
    changes::Changes,
    connections::Connections,
    departed::Departed,
    index::{Controller, Index, SetTerm},
    lease::Leadership,
    locks::Locks,
    memory::Memory,
    metrics::Metrics,
    shard::Shard,
    turns::Turns,
    waiting::Waiting,
    writes::Writes,
};
use crate::{
    api::{AdminApi, JsonWebKeySet},
    lifecycle::access::Labels,
    serve::Readiness,
};

/// What every reconcile shares.
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) metrics: Metrics,
    /// Whether this process may write.
    pub(super) leadership: Leadership,
    /// Whether the process before this one was done with everything when it let go.
    pub(super) predecessor_was_done: bool,
    /// The resources that are worked on; `None` for all.
    pub(super) shard: Option<Shard>,
    /// Whether no namespace is left out of what is watched.
    pub(super) sees_all_namespaces: bool,
    /// Whether admin APIs are reached through the proxy that the environment names.
    pub(super) uses_environment_proxy: bool,
    /// Whether everything that is watched was listed.
    pub(super) readiness: Readiness,
    pub(super) sets: Store<DeserializeGuard<JsonWebKeySet>>,
    pub(super) set_index: Index<DeserializeGuard<JsonWebKeySet>, SetTerm>,
    pub(super) admin_apis: Store<DeserializeGuard<AdminApi>>,
    pub(super) config_maps: Store<PartialObjectMeta<ConfigMap>>,
    pub(super) config_map_index: Index<PartialObjectMeta<ConfigMap>, Controller>,
    pub(super) secrets: Store<PartialObjectMeta<Secret>>,
    pub(super) secret_index: Index<PartialObjectMeta<Secret>, Controller>,
    /// The Secrets that may be imported from, as far as the operator may watch them.
    pub(super) imports: Store<PartialObjectMeta<Secret>>,
    /// The namespaces, for their labels.
    pub(super) namespaces: Store<PartialObjectMeta<Namespace>>,
    pub(super) departed: Departed,
    pub(super) connections: Connections,
    /// The turns of passes.
    pub(super) passes: Turns,
    /// The places of passes that are about to have a key generated.
    pub(super) preparations: Turns,
    /// The turns to have a key generated.
    pub(super) generations: Turns,
    /// Those that wait for a turn of theirs.
    pub(super) waiting: Waiting,
    pub(super) changes: Changes,
    pub(super) locks: Locks,
    pub(super) memory: Memory,
    pub(super) writes: Writes,
    /// When this process started: before, another one may have been writing.
    pub(super) started: Instant,
}

impl Context {
    /// Whether this operator works on a resource with these labels.
    pub(super) fn is_ours(&self, labels: &Labels) -> bool {
        self.shard.as_ref().is_none_or(|shard| shard.holds(labels))
    }

    /// The labels of a namespace; `None` while it was not seen yet.
    pub(super) fn labels(&self, namespace: &str) -> Option<Labels> {
        let found = self.namespaces.get(&ObjectRef::new(namespace))?;
        Some(found.metadata.labels.clone().unwrap_or_default())
    }
}

/// A moment of the monotonic clock on the wall clock, so that a jump of the wall clock does not shorten a wait.
pub(super) fn to_timestamp(instant: Instant, now: Timestamp) -> Timestamp {
    let clock = Instant::now();
    let moment = match instant.checked_duration_since(clock) {
        Some(ahead) => now.saturating_add(ahead),
        None => now.saturating_sub(clock.duration_since(instant)),
    };
    moment.unwrap_or(now)
}
