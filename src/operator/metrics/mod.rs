//! What is counted and measured, for OpenMetrics.
//!
//! Labels have few values: kinds, operations, reasons, and the names of AdminApis, which a platform team chooses. The names of resources are
//! labels only of the gauges for each resource, which can be turned off.

mod fleet;

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};
use strum::IntoStaticStr;

use super::context::Context;
use crate::{
    api::Reason,
    hydra::{self, Operation},
};

/// Which reconcile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
pub(super) enum Kind {
    JsonWebKeySet,
    AdminApi,
}

impl Kind {
    fn as_str(self) -> &'static str {
        self.into()
    }
}

/// How a reconcile ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub(super) enum Ending {
    Done,
    Failed,
    Panicked,
}

impl Ending {
    /// Of a reconcile whose panics were contained.
    pub(super) fn of<T, E, P>(result: &Result<Result<T, E>, P>) -> Self {
        match result {
            Ok(Ok(_)) => Self::Done,
            Ok(Err(_)) => Self::Failed,
            Err(_) => Self::Panicked,
        }
    }

    fn as_str(self) -> &'static str {
        self.into()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReconcileLabels {
    kind: &'static str,
    ending: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    admin_api: String,
    operation: &'static str,
    status: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    admin_api: String,
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AdminApiLabels {
    admin_api: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// What is counted and measured. Clones count into the same numbers.
#[derive(Clone)]
pub struct Metrics {
    leader: Gauge,
    reconciles: Family<ReconcileLabels, Counter>,
    reconcile_durations: Histograms<KindLabels>,
    queue_delays: Histogram,
    calls: Family<CallLabels, Counter>,
    call_durations: Histograms<OperationLabels>,
    call_waits: Histograms<AdminApiLabels>,
    actions: Family<ReasonLabels, Counter>,
    publication_failures: Family<ReasonLabels, Counter>,
    /// What the figures of the resources are read from, once the operator runs.
    world: Arc<OnceLock<Arc<Context>>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// The metrics, and the registry that they are read through. `for_each_resource` adds gauges that carry the name of a resource.
    pub fn new(for_each_resource: bool) -> (Self, Registry) {
        let metrics = Self {
            leader: Gauge::default(),
            reconciles: Family::default(),
            reconcile_durations: Family::new_with_constructor(long),
            queue_delays: long(),
            calls: Family::default(),
            call_durations: Family::new_with_constructor(long),
            call_waits: Family::new_with_constructor(long),
            actions: Family::default(),
            publication_failures: Family::default(),
            world: Arc::default(),
        };
        // An increase is seen only of what was 0 before.
        for reason in [Reason::DriftRepaired, Reason::SignerRestored] {
            metrics.actions.get_or_create_owned(&ReasonLabels { reason: reason.as_str() }).inc_by(0);
        }
        for reason in [Reason::TargetFailed, Reason::TargetNotOwned] {
            metrics.publication_failures.get_or_create_owned(&ReasonLabels { reason: reason.as_str() }).inc_by(0);
        }
        for kind in [Kind::JsonWebKeySet, Kind::AdminApi] {
            metrics.reconciles.get_or_create_owned(&ReconcileLabels { kind: kind.as_str(), ending: Ending::Panicked.as_str() }).inc_by(0);
        }
        let mut registry = Registry::with_prefix("jwk_operator");
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version of this build", version);
        registry.register("leader", "1 if this process works, 0 if it stands by", metrics.leader.clone());
        registry.register("reconciles", "Reconciles that ended, by kind and ending", metrics.reconciles.clone());
        let seconds = || Unit::Seconds;
        let help = "How long reconciles took, by kind";
        registry.register_with_unit("reconcile_duration", help, seconds(), metrics.reconcile_durations.clone());
        let help = "How long a JsonWebKeySet waited from its change to its reconcile";
        registry.register_with_unit("queue_delay", help, seconds(), metrics.queue_delays.clone());
        let help = "Calls to the admin API, by operation and HTTP status; the status none means no answer";
        registry.register("admin_api_calls", help, metrics.calls.clone());
        let help = "How long calls to the admin API took, by operation, including their wait";
        registry.register_with_unit("admin_api_call_duration", help, seconds(), metrics.call_durations.clone());
        let help = "How long calls waited because of the limits of the AdminApi";
        registry.register_with_unit("admin_api_wait", help, seconds(), metrics.call_waits.clone());
        registry.register(
            "actions",
            "Actions on sets, by the reason of the event: DriftRepaired, KeyGenerated, …",
            metrics.actions.clone(),
        );
        let help = "Targets that could not be written, by the reason of the condition";
        registry.register("publication_failures", help, metrics.publication_failures.clone());
        registry.register_collector(Box::new(fleet::Fleet { world: metrics.world.clone(), for_each_resource }));
        (metrics, registry)
    }

    /// This process works from now on, on this world.
    pub(super) fn leads(&self, world: Arc<Context>) {
        self.leader.set(1);
        // It is set once: a process that loses the Lease ends.
        let _ = self.world.set(world);
    }

    /// This process works no more.
    pub(super) fn ends(&self) {
        self.leader.set(0);
    }

    pub(super) fn reconciled(&self, kind: Kind, ending: Ending, took: Duration) {
        let kind = kind.as_str();
        self.reconciles.get_or_create(&ReconcileLabels { kind, ending: ending.as_str() }).inc();
        self.reconcile_durations.get_or_create(&KindLabels { kind }).observe(took.as_secs_f64());
    }

    pub(super) fn waited_in_queue(&self, waited: Duration) {
        self.queue_delays.observe(waited.as_secs_f64());
    }

    pub(super) fn acted(&self, reason: Reason) {
        self.actions.get_or_create(&ReasonLabels { reason: reason.as_str() }).inc();
    }

    pub(super) fn failed_to_publish(&self, reason: Reason) {
        self.publication_failures.get_or_create(&ReasonLabels { reason: reason.as_str() }).inc();
    }

    /// What the client of an AdminApi reports to.
    pub(super) fn observer(&self, admin_api: &str) -> Arc<dyn hydra::Observer> {
        Arc::new(AdminApiObserver { metrics: self.clone(), admin_api: admin_api.to_owned() })
    }
}

/// From a millisecond to two minutes.
fn long() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0])
}

/// Counts the calls of one AdminApi.
struct AdminApiObserver {
    metrics: Metrics,
    admin_api: String,
}

impl hydra::Observer for AdminApiObserver {
    fn called(&self, operation: Operation, status: Option<u16>, took: Duration, waited: Duration) {
        let (admin_api, operation) = (self.admin_api.clone(), operation.as_str());
        let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        self.metrics.calls.get_or_create(&CallLabels { admin_api: admin_api.clone(), operation, status }).inc();
        self.metrics.call_durations.get_or_create(&OperationLabels { admin_api: admin_api.clone(), operation }).observe(took.as_secs_f64());
        self.metrics.call_waits.get_or_create(&AdminApiLabels { admin_api }).observe(waited.as_secs_f64());
    }
}
