//! The status of an AdminApi, and whether it may be deleted.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt as _;

use crate::lifecycle::spec::{access, claim};
use crate::{
    api::{ADMIN_API_FINALIZER, AdminApi, AdminApiStatus, ConditionType, JsonWebKeySet, Reason},
    escape::escaped,
};

/// How many overlaps are listed, so that a long list of rules does not make a status too large to store.
const LISTED_OVERLAPS: usize = 8;

/// Whether a resource keeps its AdminApi from being deleted: it names it, and has not been released.
pub fn is_user(resource: &JsonWebKeySet, admin_api: &str) -> bool {
    let is_gone = resource.metadata.deletion_timestamp.is_some() && resource.finalizers().is_empty();
    claim::admin_api_name(resource) == admin_api && !is_gone
}

/// The finalizers that an AdminApi must have while so many resources use it; `None` if it has them.
///
/// One that is being deleted can get none any more: Kubernetes refuses it.
pub fn finalizers(admin_api: &AdminApi, users: usize) -> Option<Vec<String>> {
    let held = admin_api.finalizers();
    let is_held = held.iter().any(|finalizer| finalizer == ADMIN_API_FINALIZER);
    match (users > 0, is_held) {
        (true, false) if admin_api.metadata.deletion_timestamp.is_none() => {
            Some(held.iter().cloned().chain([ADMIN_API_FINALIZER.to_owned()]).collect())
        }
        (false, true) => Some(held.iter().filter(|finalizer| *finalizer != ADMIN_API_FINALIZER).cloned().collect()),
        _ => None,
    }
}

/// What was found about the server of an AdminApi.
#[derive(Clone, Debug)]
pub struct AdminApiFinding {
    /// Whether it answers: else why not.
    pub ready: Result<(), (Reason, String)>,
    /// The version it reported; `None` keeps the one that was reported before.
    pub version: Option<Option<String>>,
}

/// The status of an AdminApi.
pub fn admin_api_status(admin_api: &AdminApi, finding: AdminApiFinding, users: usize, now: Timestamp) -> AdminApiStatus {
    let previous = admin_api.status.clone().unwrap_or_default();
    let generation = admin_api.metadata.generation;
    let is_deleting = admin_api.metadata.deletion_timestamp.is_some();
    let (holds, reason, message) = match finding.ready {
        _ if is_deleting && users > 0 => {
            let verb = if users == 1 { "does" } else { "do" };
            (false, Reason::InUse, format!("the AdminApi is deleted once no JsonWebKeySet uses it: {users} still {verb}"))
        }
        Ok(()) => (true, Reason::AsPlanned, "the admin API answers".to_owned()),
        Err((reason, message)) => (false, reason, message),
    };
    let mut conditions = Vec::new();
    if !holds && !is_deleting {
        // As kstatus reads it: the server is asked again and again, anything else somebody must fix.
        let kind = if reason == Reason::AdminApiUnavailable { ConditionType::Reconciling } else { ConditionType::Stalled };
        conditions.push(condition(&previous, kind, true, reason, message.clone(), generation, now));
    }
    conditions.push(condition(&previous, ConditionType::Ready, holds, reason, message, generation, now));
    let overlaps = access::overlaps(&admin_api.spec.access);
    if !overlaps.is_empty() {
        let rest = overlaps.len().saturating_sub(LISTED_OVERLAPS);
        let more = if rest > 0 { format!("; and {rest} more") } else { String::new() };
        let message = format!("{}{more}", overlaps[..overlaps.len().min(LISTED_OVERLAPS)].join("; "));
        conditions.push(condition(&previous, ConditionType::AccessOverlaps, true, Reason::AccessOverlaps, message, generation, now));
    }
    conditions.sort_by(|one, other| one.type_.cmp(&other.type_));
    AdminApiStatus { observed_generation: generation, version: finding.version.unwrap_or(previous.version), conditions }
}

/// A condition, with the time of its last change. The words of a failing server may differ each time: the first ones stand until something
/// else is wrong.
fn condition(
    previous: &AdminApiStatus,
    kind: ConditionType,
    holds: bool,
    reason: Reason,
    message: String,
    generation: Option<i64>,
    now: Timestamp,
) -> Condition {
    let status = if holds { "True" } else { "False" };
    let before = previous.conditions.iter().find(|condition| condition.type_ == kind.as_str() && condition.status == status);
    let is_server = !matches!(reason, Reason::InUse | Reason::AccessOverlaps);
    let same = before.filter(|before| is_server && before.reason == reason.as_str() && before.observed_generation == generation);
    Condition {
        type_: kind.as_str().to_owned(),
        status: status.to_owned(),
        reason: reason.as_str().to_owned(),
        message: same.map_or_else(|| escaped(&message).into_owned(), |before| before.message.clone()),
        observed_generation: generation,
        last_transition_time: before.map_or_else(
            || Time(Timestamp::from_second(now.as_second()).unwrap_or_default()),
            |before| before.last_transition_time.clone(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{AccessRule, AdminApiSpec, JsonWebKeySetSpec, Namespaces};

    fn admin_api(finalizers: &[&str], is_deleting: bool) -> AdminApi {
        let everybody = Namespaces { all: Some(true), ..Namespaces::default() };
        let rule = AccessRule { namespaces: everybody, sets: vec!["shared.*".into()], ..AccessRule::default() };
        let mut admin_api = AdminApi::new("default", AdminApiSpec { access: vec![rule], ..AdminApiSpec::default() });
        admin_api.metadata.finalizers = Some(finalizers.iter().map(ToString::to_string).collect());
        admin_api.metadata.deletion_timestamp = is_deleting.then_some(Time(Timestamp::UNIX_EPOCH));
        admin_api.metadata.generation = Some(3);
        admin_api
    }

    #[test]
    fn the_finalizer_is_there_while_it_is_used_and_no_longer() {
        let ours = ADMIN_API_FINALIZER;
        assert_eq!(finalizers(&admin_api(&["theirs"], false), 1), Some(vec!["theirs".into(), ours.into()]));
        assert_eq!(finalizers(&admin_api(&["theirs", ours], false), 1), None);
        assert_eq!(finalizers(&admin_api(&["theirs", ours], false), 0), Some(vec!["theirs".into()]));
        assert_eq!(finalizers(&admin_api(&["theirs", ours], true), 0), Some(vec!["theirs".into()]));
        assert_eq!(finalizers(&admin_api(&["theirs", ours], true), 2), None);
        assert_eq!(finalizers(&admin_api(&["theirs"], true), 2), None, "Kubernetes would refuse it");
        assert_eq!(finalizers(&admin_api(&[], false), 0), None);
    }

    #[test]
    fn a_resource_uses_its_admin_api_until_it_is_let_go() {
        let mut resource = JsonWebKeySet::new("payments", JsonWebKeySetSpec::default());
        assert!(is_user(&resource, "default") && !is_user(&resource, "other"));
        resource.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        assert!(!is_user(&resource, "default"));
        resource.metadata.finalizers = Some(vec!["jwk-operator.dev/remote-set".into()]);
        assert!(is_user(&resource, "default"));
    }

    #[test]
    fn what_keeps_it_from_being_deleted_is_reported_with_a_number() {
        let finding = || AdminApiFinding { ready: Ok(()), version: Some(Some("v26".into())) };
        let now = Timestamp::from_second(1_000_000).expect("a time");
        let status = admin_api_status(&admin_api(&[], true), finding(), 3, now);
        let told: Vec<_> = status.conditions.iter().map(|c| (c.type_.as_str(), c.status.as_str(), c.reason.as_str())).collect();
        assert_eq!(told, [("AccessOverlaps", "True", "AccessOverlaps"), ("Ready", "False", "InUse")]);
        assert!(status.conditions[1].message.contains("3 still do"), "{}", status.conditions[1].message);
        let mut again = admin_api(&[], true);
        again.status = Some(status);
        let later = Timestamp::from_second(2_000_000).expect("a time");
        let fewer = admin_api_status(&again, finding(), 1, later);
        assert!(fewer.conditions[1].message.contains("1 still does"), "{}", fewer.conditions[1].message);
        assert_eq!(fewer.conditions[1].last_transition_time, Time(now), "it did not change");
        assert_eq!(admin_api_status(&again, finding(), 0, later).conditions[1].reason, "AsPlanned");
    }

    #[test]
    fn what_continues_by_itself_is_told_apart_from_what_somebody_must_fix() {
        let told = |ready, is_deleting| {
            let status = admin_api_status(&admin_api(&[], is_deleting), AdminApiFinding { ready, version: None }, 1, Timestamp::UNIX_EPOCH);
            let types = status.conditions.into_iter().filter(|condition| condition.status == "True").map(|condition| condition.type_);
            types.filter(|kind| kind != "AccessOverlaps").collect::<Vec<_>>()
        };
        let failed = |reason| Err((reason, "why".to_owned()));
        assert_eq!(told(Ok(()), false), ["Ready"]);
        assert_eq!(told(failed(Reason::AdminApiUnavailable), false), ["Reconciling"]);
        assert_eq!(told(failed(Reason::CredentialsMissing), false), ["Stalled"]);
        assert_eq!(told(failed(Reason::AdminApiUnauthorized), false), ["Stalled"]);
        assert_eq!(told(failed(Reason::CredentialsMissing), true), [""; 0], "it goes, and waits for its users only");
    }

    #[test]
    fn the_first_words_of_a_failing_server_stand_until_something_else_is_wrong() {
        let failing = |words: &str| AdminApiFinding { ready: Err((Reason::AdminApiUnavailable, words.to_owned())), version: None };
        let mut admin_api = admin_api(&[], false);
        let first = admin_api_status(&admin_api, failing("first"), 0, Timestamp::UNIX_EPOCH);
        assert!(first.conditions.iter().all(|condition| condition.message == "first" || condition.type_ == "AccessOverlaps"));
        admin_api.status = Some(first);
        let again = admin_api_status(&admin_api, failing("second"), 0, Timestamp::UNIX_EPOCH);
        assert_eq!(Some(again), admin_api.status);
    }
}
