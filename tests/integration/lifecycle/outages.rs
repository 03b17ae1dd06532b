//! What a status says while the admin API cannot be asked.

use jiff::{SignedDuration, Timestamp};
use jwk_operator::{
    api::{JsonWebKeySetStatus, ROTATE_AT_ANNOTATION, Reason, Rotation},
    jwk::JwkSet,
    lifecycle::{self, Answer, Failure, Local, Observed, Outcome, Record, Sight, Step},
};
use kube::ResourceExt as _;

use super::{
    entries::{generated, hours, with_rotation},
    world::World,
};

/// A set that is ready, and rotates every eight hours.
fn ready() -> World {
    let rotation = Rotation { interval: Some(hours(8)), prepublish: Some(hours(1)), retain: Some(hours(2)) };
    let mut world = World::new(with_rotation(generated(&["signing"]), rotation));
    world.pass(&[]);
    assert!(world.is_ready());
    world
}

fn failure(stalled: bool) -> Failure {
    Failure { reason: Reason::AdminApiUnavailable, message: "it does not answer".into(), stalled, step_was_due: false }
}

/// The status after a look that failed at this time.
fn after(world: &World, stalled: bool, now: Timestamp) -> JsonWebKeySetStatus {
    lifecycle::status(&world.desired().expect("granted"), Sight::Nothing, &world.status(), &Outcome::Failed(failure(stalled)), now)
}

fn told(status: &JsonWebKeySetStatus) -> (String, String) {
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready").expect("Ready");
    (ready.status.clone(), ready.message.clone())
}

#[test]
fn a_mere_outage_changes_nothing_until_a_step_is_due() {
    let world = ready();
    let due = world.status().next_step.expect("a next step").0;
    let created = world.resource.metadata.creation_timestamp.clone().expect("a time").0;
    assert_eq!(due, created + SignedDuration::from_hours(7), "the next key is made and announced");
    assert_eq!(after(&world, false, due - SignedDuration::from_secs(1)), world.status());
    let (status, message) = told(&after(&world, false, due));
    assert_eq!((status.as_str(), message), ("False", format!("it does not answer; a step has been due since {due:.0}")));
}

#[test]
fn what_does_not_mend_by_waiting_is_told_at_once() {
    let world = ready();
    let status = after(&world, true, world.now);
    assert_eq!(told(&status).0, "False");
    assert!(status.conditions.iter().any(|condition| condition.type_ == "Stalled"), "{status:?}");
}

#[test]
fn a_rotation_that_somebody_asks_for_during_an_outage_is_due() {
    let mut world = ready();
    let asked = world.now + SignedDuration::from_mins(10);
    world.resource.annotations_mut().insert(ROTATE_AT_ANNOTATION.into(), format!("{asked:.0}"));
    assert_eq!(told(&after(&world, false, world.now)).0, "True");
    assert_eq!(told(&after(&world, false, asked)).0, "False");
}

#[test]
fn a_trouble_stays_while_a_pass_mends_it() {
    let world = ready();
    let now = world.now;
    let mut status = after(&world, true, now);
    let desired = world.desired().expect("granted");
    let mut seen = Observed::new(Local::new(Record::from_status(&status)));
    seen.finalizer = true;
    seen.fold(&Step::ReadLive, Answer::Read { set: JwkSet::default(), server_time: Some(now) }, now);
    let underway = lifecycle::status(&desired, Sight::Everything(&seen), &status, &Outcome::Underway, now);
    assert_eq!(told(&underway), told(&status), "whether all is well again is told at the end of the pass");
    status.conditions.clear();
    let underway = lifecycle::status(&desired, Sight::Everything(&seen), &status, &Outcome::Underway, now);
    assert_eq!(told(&underway).0, "False");
}

#[test]
fn missing_credentials_are_like_an_outage() {
    let world = ready();
    let due = world.status().next_step.expect("a next step").0;
    let missing = Failure { reason: Reason::CredentialsMissing, ..failure(true) };
    let wanted = world.desired().expect("granted").publication;
    let local = world.local(&wanted);
    let after = |now| lifecycle::unconnected(&world.resource, &world.status(), &missing, (&wanted, &local), now);
    assert_eq!(after(due - SignedDuration::from_secs(1)), world.status());
    assert_eq!(told(&after(due)).0, "False");
}
