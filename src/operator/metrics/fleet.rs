//! The figures of all resources together, read when they are asked for.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
};

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet},
    metrics::MetricType,
    registry::Unit,
};
use strum::VariantArray as _;

use crate::operator::context::Context;
use crate::{
    api::{AdminApi, JsonWebKeySet},
    hydra::BreakerState,
};

/// How long a rotation may be late before it counts as overdue: a resync, and the pauses after failures.
const OVERDUE_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// Reads the figures from what is watched.
pub(super) struct Fleet {
    pub(super) world: Arc<OnceLock<Arc<Context>>>,
    pub(super) for_each_resource: bool,
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet").finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct ConditionLabels {
    r#type: String,
    status: String,
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct ResourceLabels {
    namespace: String,
    name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct BreakerLabels {
    admin_api: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct ReadyLabels {
    admin_api: String,
    reason: String,
}

/// What is read in one go.
#[derive(Default)]
struct Figures {
    sets: BTreeMap<ConditionLabels, i64>,
    keys: BTreeMap<StateLabels, i64>,
    overdue: i64,
    ready: BTreeMap<ResourceLabels, i64>,
    signer_age: BTreeMap<ResourceLabels, i64>,
    next_rotation: BTreeMap<ResourceLabels, i64>,
    admin_apis: BTreeMap<ReadyLabels, i64>,
    breakers: BTreeMap<BreakerLabels, i64>,
}

impl Figures {
    fn add_set(&mut self, set: &JsonWebKeySet, now: Timestamp) {
        let Some(status) = &set.status else { return };
        let labels = || ResourceLabels { namespace: set.namespace().unwrap_or_default(), name: set.name_any() };
        for condition in &status.conditions {
            let (r#type, status, reason) = (condition.type_.clone(), condition.status.clone(), condition.reason.clone());
            *self.sets.entry(ConditionLabels { r#type, status, reason }).or_default() += 1;
            if condition.type_ == "Ready" {
                self.ready.insert(labels(), i64::from(condition.status == "True"));
            }
        }
        for key in &status.keys {
            *self.keys.entry(StateLabels { state: key.state.into() }).or_default() += 1;
        }
        if let Some(next) = &status.next_rotation {
            let left = next.0.duration_since(now);
            self.overdue += i64::from(left < -OVERDUE_AFTER);
            self.next_rotation.insert(labels(), left.as_secs());
        }
        let signer = status.keys.iter().find(|key| status.signer.as_ref() == Some(&key.kid));
        if let Some(activated) = signer.and_then(|key| key.activated_at.as_ref()) {
            self.signer_age.insert(labels(), now.duration_since(activated.0).as_secs());
        }
    }

    fn add_admin_api(&mut self, admin_api: &AdminApi, cx: &Context) {
        let name = admin_api.name_any();
        let conditions = admin_api.status.iter().flat_map(|status| &status.conditions);
        for condition in conditions.filter(|condition| condition.type_ == "Ready") {
            let labels = ReadyLabels { admin_api: name.clone(), reason: condition.reason.clone() };
            self.admin_apis.insert(labels, i64::from(condition.status == "True"));
        }
        if let Some(Ok(connection)) = cx.connections.get(&name) {
            let found = connection.client.breaker_state();
            for state in BreakerState::VARIANTS {
                self.breakers.insert(BreakerLabels { admin_api: name.clone(), state: state.into() }, i64::from(*state == found));
            }
        }
    }
}

impl Collector for Fleet {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(cx) = self.world.get() else { return Ok(()) };
        let (mut figures, now) = (Figures::default(), Timestamp::now());
        for set in cx.stores.sets.state().iter().filter_map(|guard| guard.0.as_ref().ok()).filter(|set| cx.is_ours(set.labels())) {
            figures.add_set(set, now);
        }
        for admin_api in cx.stores.admin_apis.state().iter().filter_map(|guard| guard.0.as_ref().ok()) {
            figures.add_admin_api(admin_api, cx);
        }
        let seconds = Some(&Unit::Seconds);
        gauges(&mut encoder, "json_web_key_sets", "JsonWebKeySets, by condition, its status and its reason", None, &figures.sets)?;
        gauges(&mut encoder, "keys", "Keys in the status of JsonWebKeySets, by state", None, &figures.keys)?;
        gauges(&mut encoder, "admin_api_ready", "1 if the admin API can be used, else 0, with the reason", None, &figures.admin_apis)?;
        gauges(&mut encoder, "admin_api_breaker", "State of the circuit breaker: 1 for the current one, else 0", None, &figures.breakers)?;
        let help = "JsonWebKeySets whose next rotation is more than 15 minutes late";
        encoder.encode_descriptor("overdue_rotations", help, None, MetricType::Gauge)?.encode_gauge(&figures.overdue)?;
        if self.for_each_resource {
            let help = "1 if the JsonWebKeySet is as planned, remotely and in its targets, else 0";
            gauges(&mut encoder, "json_web_key_set_ready", help, None, &figures.ready)?;
            let help = "How long the key that signs has been active, for each JsonWebKeySet";
            gauges(&mut encoder, "signer_age", help, seconds, &figures.signer_age)?;
            let help = "How long until the next key is due to sign, for each JsonWebKeySet that rotates; negative if it is late";
            gauges(&mut encoder, "next_rotation", help, seconds, &figures.next_rotation)?;
        }
        Ok(())
    }
}

fn gauges<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    values: &BTreeMap<L, i64>,
) -> Result<(), fmt::Error> {
    if values.is_empty() {
        return Ok(());
    }
    let mut metric = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
    for (labels, value) in values {
        metric.encode_family(labels)?.encode_gauge(value)?;
    }
    Ok(())
}
