//! What every reconcile shares.

use std::time::Instant;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Client, core::PartialObjectMeta, runtime::reflector::ObjectRef};

use super::{
    admin_api::connections::Connections,
    key_set::departed::Departed,
    lease::{Leadership, Predecessor},
    memory::Memory,
    metrics::Metrics,
    settings::Settings,
    shard::Shard,
    waits::{changes::Changes, locks::Locks, turns::Turns, waiting::Waiting},
    watch::{
        index::{Controller, Index, SetTerm},
        stores::{Stores, Watched},
        wakes::{Senders, Signals},
    },
    writes::Writes,
};
use crate::{lifecycle::spec::access::Labels, serve::Readiness};

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
    /// What is watched, as it was last seen.
    pub(super) stores: Stores,
    pub(super) set_index: Index<Watched, SetTerm>,
    pub(super) config_map_index: Index<PartialObjectMeta<ConfigMap>, Controller>,
    pub(super) secret_index: Index<PartialObjectMeta<Secret>, Controller>,
    /// What the watches find out for others.
    pub(super) signals: Signals,
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
    /// What the reconciles of a process share that has just started. `leadership` comes with how the process before it ended.
    pub(super) fn new(
        client: Client,
        settings: Settings,
        stores: Stores,
        senders: Senders,
        metrics: Metrics,
        (leadership, predecessor): (Leadership, Predecessor),
        readiness: Readiness,
    ) -> Self {
        Self {
            client,
            metrics,
            leadership,
            predecessor_was_done: predecessor == Predecessor::WasDone,
            sees_all_namespaces: settings.watched_namespaces.is_empty(),
            shard: settings.shard,
            uses_environment_proxy: settings.uses_environment_proxy,
            readiness,
            stores,
            set_index: Index::of_sets(),
            config_map_index: Index::of_targets(),
            secret_index: Index::of_targets(),
            signals: senders.watched,
            departed: Departed::new(senders.departed),
            connections: Connections::new(senders.connected, senders.suspected),
            passes: Turns::default(),
            preparations: Turns::default(),
            generations: Turns::default(),
            waiting: Waiting::new(senders.admitted),
            changes: Changes::default(),
            locks: Locks::default(),
            memory: Memory::default(),
            writes: Writes::default(),
            started: Instant::now(),
        }
    }

    /// Whether this operator works on a resource with these labels.
    pub(super) fn is_ours(&self, labels: &Labels) -> bool {
        self.shard.as_ref().is_none_or(|shard| shard.holds(labels))
    }

    /// The labels of a namespace; `None` while it was not seen yet.
    pub(super) fn labels(&self, namespace: &str) -> Option<Labels> {
        let found = self.stores.namespaces.get(&ObjectRef::new(namespace))?;
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
