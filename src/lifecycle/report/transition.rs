//! Which changes of a status are worth a log line and an event: those that whoever operates many sets must know, once each.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::api::{ConditionType, Reason};

/// A change of why a resource is ready or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition<'status> {
    /// The reason of the condition.
    pub reason: &'status str,
    /// Its message.
    pub message: &'status str,
    /// Whether something is wrong now, or nothing any more.
    pub is_trouble: bool,
}

/// What changed for the worse, from one trouble to another, or back to what is planned. Progress has events of its own.
pub fn transition<'status>(before: &[Condition], after: &'status [Condition]) -> Option<Transition<'status>> {
    let (before, after) = (ready(before), ready(after)?);
    let is_same = before.is_some_and(|before| (&before.status, &before.reason) == (&after.status, &after.reason));
    let is_trouble = is_trouble(after);
    let is_recovery = before.is_some_and(self::is_trouble) && after.reason == Reason::AsPlanned.as_str();
    let is_worth_telling = !is_same && (is_trouble || is_recovery);
    is_worth_telling.then_some(Transition { reason: &after.reason, message: &after.message, is_trouble })
}

/// Why a resource is in trouble, if it is.
pub fn trouble(conditions: &[Condition]) -> Option<Transition<'_>> {
    let ready = ready(conditions).filter(|ready| is_trouble(ready))?;
    Some(Transition { reason: &ready.reason, message: &ready.message, is_trouble: true })
}

fn ready(conditions: &[Condition]) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == ConditionType::Ready.as_str())
}

fn is_trouble(ready: &Condition) -> bool {
    ![Reason::AsPlanned, Reason::Progressing].iter().any(|reason| reason.as_str() == ready.reason)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn conditions(status: &str, reason: &str) -> Vec<Condition> {
        let ready = json!({
            "type": "Ready", "status": status, "reason": reason, "message": reason, "lastTransitionTime": "2026-11-26T00:00:00Z",
        });
        vec![serde_json::from_value(ready).expect("a condition")]
    }

    #[test]
    fn each_change_is_told_once() {
        let good = || conditions("True", "AsPlanned");
        let (down, progress) = (conditions("False", "AdminApiUnavailable"), conditions("False", "Progressing"));
        let (denied, notice) = (conditions("False", "AccessDenied"), conditions("True", "ClockSkew"));
        let cases = [
            (vec![], good(), None),
            (vec![], progress.clone(), None),
            (vec![], denied.clone(), Some(true)),
            (good(), good(), None),
            (good(), progress.clone(), None),
            (progress.clone(), good(), None),
            (good(), down.clone(), Some(true)),
            (down.clone(), down.clone(), None),
            (down.clone(), denied, Some(true)),
            (down.clone(), good(), Some(false)),
            (down.clone(), progress, None),
            (good(), notice.clone(), Some(true)),
            (notice, good(), Some(false)),
            (down, vec![], None),
        ];
        for (before, after, expected) in cases {
            assert_eq!(transition(&before, &after).map(|told| told.is_trouble), expected, "{before:?} -> {after:?}");
        }
    }
}
