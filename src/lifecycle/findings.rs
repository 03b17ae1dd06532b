//! What is true, as conditions report it.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::record::to_seconds;
use crate::{
    api::{ConditionType, JsonWebKeySetStatus, Reason},
    escape::escaped,
};

/// Something that blocks the plan, for the conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The reason.
    pub reason: Reason,
    /// What is wrong, with which set and kid, and what to do.
    pub message: String,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it concerns the targets and not the remote set.
    pub publication: bool,
}

/// How bad a trouble is, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The plan is carried out all the same; the user should know.
    Notice,
    /// The operator continues by itself.
    Waiting,
    /// Somebody has to act before the operator can continue.
    Stalled,
}

/// One thing that is or is not so.
pub(super) struct Finding {
    pub(super) kind: ConditionType,
    pub(super) holds: bool,
    pub(super) reason: Reason,
    pub(super) message: String,
}

/// Whether something is so: it is not if there is a trouble.
pub(super) fn finding(kind: ConditionType, trouble: Option<&Trouble>, good: impl FnOnce() -> String) -> Finding {
    match trouble {
        Some(trouble) => Finding { kind, holds: false, reason: trouble.reason, message: trouble.message.clone() },
        None => Finding { kind, holds: true, reason: Reason::AsPlanned, message: good() },
    }
}

/// Turns findings into conditions. A condition whose status did not change keeps the time of its last change; of the previous ones only
/// `kept` survive without a finding.
pub(super) fn conditions(
    previous: &[Condition],
    findings: Vec<Finding>,
    kept: &[ConditionType],
    generation: i64,
    now: Timestamp,
) -> Vec<Condition> {
    let before = |kind: ConditionType| previous.iter().find(|condition| condition.type_ == kind.as_str());
    let is_found = |kind: &ConditionType| findings.iter().any(|finding| finding.kind == *kind);
    let mut conditions: Vec<Condition> = kept.iter().filter(|kind| !is_found(kind)).filter_map(|kind| before(*kind).cloned()).collect();
    for finding in findings {
        let status = if finding.holds { "True" } else { "False" };
        let unchanged = before(finding.kind).filter(|condition| condition.status == status);
        conditions.push(Condition {
            type_: finding.kind.as_str().to_owned(),
            status: status.to_owned(),
            reason: finding.reason.as_str().to_owned(),
            message: escaped(&finding.message).into_owned(),
            observed_generation: Some(generation),
            last_transition_time: unchanged.map_or_else(|| to_seconds(now), |condition| condition.last_transition_time.clone()),
        });
    }
    conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
    conditions
}

/// Whether a condition is true.
pub(super) fn is_true(status: &JsonWebKeySetStatus, kind: ConditionType) -> bool {
    status.conditions.iter().any(|condition| condition.type_ == kind.as_str() && condition.status == "True")
}
