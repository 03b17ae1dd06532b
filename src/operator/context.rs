//! What every reconcile shares.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::{
    Client,
    core::{DeserializeGuard, PartialObjectMeta},
    runtime::{
        events::Recorder,
        reflector::{ObjectRef, Store},
    },
};

use super::{
    changes::Changes, connections::Connections, departed::Departed, lease::Leadership, memory::Memory, metrics::Metrics, repairs::Repairs,
    shard::Shard, turns::Turns,
};
use crate::{
    api::{AdminApi, AdminApiSpec, JsonWebKeySet},
    lifecycle::{access::Labels, claim},
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
    pub(super) recorder: Recorder,
    pub(super) sets: Store<DeserializeGuard<JsonWebKeySet>>,
    pub(super) admin_apis: Store<DeserializeGuard<AdminApi>>,
    pub(super) config_maps: Store<PartialObjectMeta<ConfigMap>>,
    pub(super) secrets: Store<PartialObjectMeta<Secret>>,
    /// The Secrets that may be imported from, as far as the operator may watch them.
    pub(super) imports: Store<PartialObjectMeta<Secret>>,
    /// The namespaces, for their labels.
    pub(super) namespaces: Store<PartialObjectMeta<Namespace>>,
    pub(super) departed: Departed,
    pub(super) connections: Connections,
    /// The turns of passes.
    pub(super) passes: Turns,
    /// The turns to have a key generated.
    pub(super) generations: Turns,
    pub(super) changes: Changes,
    pub(super) repairs: Repairs,
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

/// Names a remote set: the server, whatever AdminApi reaches it, and the id, whose case makes no difference.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RemoteSet {
    server: String,
    set: String,
}

impl RemoteSet {
    /// The set of this id behind an AdminApi.
    pub(super) fn new(api: &AdminApiSpec, set: &str) -> Self {
        Self { server: claim::server(api), set: set.to_ascii_lowercase() }
    }
}

/// Writes to remote sets that were sent and not answered, by set and not by resource: a deleted resource's write may land in its successor's.
#[derive(Default)]
pub(super) struct Writes {
    sets: Mutex<HashMap<RemoteSet, SetWrites>>,
}

/// The writes to one set.
#[derive(Clone, Copy, Default)]
pub(super) struct SetWrites {
    /// Until when a write that was not answered may still take effect, one that generates a key aside.
    pub(super) in_flight_until: Option<Instant>,
    /// Until when the generation of a key that was not answered may still take effect.
    pub(super) generating_until: Option<Instant>,
    /// When a write was last not answered.
    pub(super) unanswered: Option<Instant>,
    /// When a private key was last written.
    pub(super) private_written: Option<Instant>,
}

impl Writes {
    /// A write is about to be sent. Until it is answered, it counts as in flight for `late_answers`. Answers what was known before it.
    pub(super) fn begin(&self, set: &RemoteSet, generates_key: bool, late_answers: Duration) -> SetWrites {
        let before = self.seen(set);
        let now = Instant::now();
        self.change(set, |writes| {
            let until = if generates_key { &mut writes.generating_until } else { &mut writes.in_flight_until };
            *until = Some(now + late_answers).max(*until);
            writes.unanswered = Some(now);
        });
        before
    }

    /// The write was answered, or cannot have taken effect: what was known before it holds again.
    pub(super) fn end(&self, set: &RemoteSet, before: SetWrites, wrote_private_key: bool) {
        self.change(set, |writes| {
            *writes = before;
            if wrote_private_key {
                writes.private_written = Some(Instant::now());
            }
        });
    }

    /// What is known of the writes to a set.
    pub(super) fn seen(&self, set: &RemoteSet) -> SetWrites {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner).get(set).copied().unwrap_or_default()
    }

    /// Whether a write may still take effect that was not answered.
    pub(super) fn are_any_in_flight(&self) -> bool {
        let now = Instant::now();
        let sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        let late = |writes: &SetWrites| writes.in_flight_until.max(writes.generating_until);
        sets.values().any(|writes| late(writes).is_some_and(|until| now < until))
    }

    fn change(&self, set: &RemoteSet, change: impl FnOnce(&mut SetWrites)) {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        change(sets.entry(set.clone()).or_default());
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
