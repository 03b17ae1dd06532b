//! What `spec.revoke` does, and what is told of it.

use jwk_operator::{
    api::{KeyState, Reason, Rotation},
    lifecycle::{self, Answer, CreateCause, Step, TargetStep},
};

use super::{
    entries::{generated, hours, with_rotation},
    world::{Fault, LATE, SET, World, kids},
};

fn ready(world: &World) -> (String, String) {
    let conditions = world.status().conditions;
    let ready = conditions.into_iter().find(|condition| condition.type_ == "Ready").expect("Ready");
    (ready.reason, ready.message)
}

/// The set `signing`, with this prepublish in hours.
fn world(prepublish: u64) -> World {
    let rotation = Rotation { interval: None, prepublish: Some(hours(prepublish)), retain: Some(hours(2)) };
    let mut world = World::new(with_rotation(generated(&["signing"]), rotation));
    world.pass(&[]);
    world
}

#[test]
fn an_own_revocation_is_not_told_as_somebody_elses_change() {
    for prepublish in [0, 1] {
        let mut world = world(prepublish);
        let revoked = kids(&world).remove(0);
        world.edit(|spec| spec.revoke.push(revoked.clone()));
        world.log.clear();
        world.pass(&[]);
        let steps: Vec<&Step> = world.log.iter().filter_map(|logged| logged.step()).collect();
        let reasons: Vec<Reason> =
            steps.iter().filter_map(|step| lifecycle::notice(step, &Answer::Done)).map(|notice| notice.reason).collect();
        assert!(reasons.contains(&Reason::KeyRevoked) && !reasons.contains(&Reason::DriftRepaired), "{reasons:?}");
        let is_replaced = steps.iter().any(|step| matches!(step, Step::CreateKey { cause: CreateCause::Revoked, .. }));
        assert!(is_replaced);
    }
}

/// The successor may take a minute to be generated: the revoked key is gone from set and targets before.
#[test]
fn a_revoked_key_leaves_set_and_targets_before_its_successor_is_made() {
    let rotation = Rotation { interval: None, prepublish: Some(hours(0)), retain: Some(hours(2)) };
    let mut world = World::new(with_rotation(generated(&["one", "two"]), rotation));
    world.pass(&[]);
    let revoked = world.status().signer.expect("a signer");
    world.edit(|spec| spec.revoke.push(revoked.clone()));
    world.log.clear();
    world.pass(&[]);
    let steps: Vec<&Step> = world.log.iter().filter_map(|logged| logged.step()).collect();
    let place = |is_it: fn(&Step) -> bool| steps.iter().position(|step| is_it(step)).expect("such a step");
    let made = place(|step| matches!(step, Step::CreateKey { .. }));
    assert!(place(|step| matches!(step, Step::DeleteKey { .. })) < made);
    assert!(place(|step| matches!(step, Step::Target(TargetStep::Write { .. }))) < made);
    assert!(world.is_ready(), "{:?}", world.status().conditions);
}

#[test]
fn a_key_that_somebody_else_deleted_is_told_as_drift() {
    let mut world = world(0);
    let kid = kids(&world).remove(0);
    world.outsider("deletes it", |store| store.delete_key(super::world::SET, &kid));
    world.log.clear();
    world.pass(&[]);
    let reasons: Vec<_> = world
        .log
        .iter()
        .filter_map(|logged| logged.step())
        .filter_map(|step| lifecycle::notice(step, &Answer::Done))
        .map(|notice| notice.reason)
        .collect();
    assert!(reasons.contains(&Reason::DriftRepaired), "{reasons:?}");
}

#[test]
fn a_kid_that_is_no_key_is_reported_with_the_closest_one() {
    let mut world = world(0);
    let kid = kids(&world).remove(0);
    let slip = kid.replace("signing", "singing");
    world.edit(|spec| spec.revoke = vec![slip.clone()]);
    world.pass(&[]);
    let (reason, message) = ready(&world);
    assert_eq!(reason, "RevokedKidUnknown", "{message}");
    assert!(message.contains(&slip) && message.contains(&format!("did you mean {kid}?")), "{message}");
    assert!(world.is_ready() && world.status().keys.iter().all(|key| key.kid != slip), "{:?}", world.status().keys);

    world.edit(|spec| spec.revoke = vec!["a\n2026-11-26 everything is lost".into()]);
    world.pass(&[]);
    assert!(ready(&world).1.starts_with(r"kid a\n2026-11-26 everything"), "it forges no line: {}", ready(&world).1);

    world.edit(|spec| spec.revoke = vec!["nothing-like-it".into()]);
    world.pass(&[]);
    assert!(!ready(&world).1.contains("did you mean"), "{}", ready(&world).1);

    world.edit(|spec| spec.revoke = vec![kid.clone()]);
    world.pass(&[]);
    assert_eq!(ready(&world).0, "AsPlanned");
    assert!(world.status().keys.iter().any(|key| key.kid == kid && key.state == KeyState::Revoked));
    world.pass(&[]);
    assert_eq!(ready(&world).0, "AsPlanned", "it stays listed after it is gone");
}

#[test]
fn a_key_that_was_revoked_leaves_the_targets_although_it_is_revoked_no_more() {
    let mut world = world(0);
    let kid = kids(&world).remove(0);
    world.edit(|spec| spec.revoke = vec![kid.clone()]);
    world.targets_fail = true;
    world.pass(&[]);
    assert!(!kids(&world).contains(&kid));
    world.edit(|spec| spec.revoke.clear());
    world.pass(&[]);
    let record = world.status().keys.into_iter().find(|key| key.kid == kid).map(|key| key.state);
    assert_eq!(record, Some(KeyState::Revoked), "a target still holds it");
    world.targets_fail = false;
    world.pass(&[]);
    let published = world.objects.values().flat_map(|held| held.content.published().into_keys()).collect::<Vec<_>>();
    assert!(!published.iter().any(|published| *published == *kid) && world.status().keys.iter().all(|key| key.kid != kid));
}

#[test]
fn a_kid_that_is_not_known_yet_leaves_when_it_comes() {
    let mut world = world(0);
    world.edit(|spec| spec.revoke = vec!["theirs".into()]);
    world.pass(&[]);
    world.outsider("puts it", |store| {
        let key = store.generator().generate("ES256").expect("a key").with("kid", "theirs");
        store.put_key(super::world::SET, &key).expect("stored");
    });
    world.pass(&[]);
    assert!(!kids(&world).contains(&"theirs".to_owned()));
    assert!(world.status().keys.iter().any(|key| key.kid == "theirs" && key.state == KeyState::Revoked));
}

/// The key waits for its turn, announced or not; it is revoked while nothing may be written to the set, and the spec does not name it any more when
/// that is over.
fn revoked_while_it_waited(is_announced: bool) -> (World, String) {
    let rotation = Rotation { interval: Some(hours(24)), prepublish: Some(hours(4)), retain: Some(hours(2)) };
    let mut world = World::new(with_rotation(generated(&["signing"]), rotation));
    world.pass(&[]);
    world.advance(21 * 3600);
    world.pass(if is_announced { &[] } else { &[Fault::None, Fault::None, Fault::CrashBefore] });
    // A write of the process before may still be under way.
    world.restart();
    let revoked = world.staged()[0].kid().expect("a kid").to_owned();
    world.edit(|spec| spec.revoke.push(revoked.clone()));
    world.pass(&[]);
    assert_eq!((world.staged().len(), world.store.get_key(SET, &revoked).is_ok()), (1, is_announced));
    world.edit(|spec| spec.revoke.clear());
    (world, revoked)
}

#[test]
fn a_key_that_was_revoked_while_it_waited_never_signs() {
    for (is_announced, lists_again, fails) in [(false, false, false), (false, true, false), (true, false, false), (true, false, true)] {
        let (mut world, revoked) = revoked_while_it_waited(is_announced);
        if lists_again {
            world.edit(|spec| spec.revoke.push(revoked.clone()));
        }
        world.advance(LATE + 1);
        // The first removal may fail.
        world.pass(if fails { &[Fault::Refused] } else { &[] });
        for _ in 0..30 {
            world.pass(&[]);
            let signs = world.store.get_key(SET, &revoked).is_ok_and(|key| key.is_private());
            assert!(!signs && world.staged().iter().all(|key| key.kid() != Some(&revoked)), "announced {is_announced}");
            world.advance(3600);
        }
        let signer = world.status().signer.expect("a signer");
        assert!(world.is_ready() && signer != revoked && !signer.ends_with("20261123T120000Z"), "another key took its place: {signer}");
    }
}

/// The staged set could not be read: nobody knows whether the key waits there.
#[test]
fn a_revocation_is_remembered_while_the_staged_set_is_unknown() {
    let (mut world, revoked) = revoked_while_it_waited(false);
    world.advance(LATE + 1);
    let desired = world.desired().expect("a spec that can be acted on");
    let seen = world.observe(&desired);
    assert!(seen.staged.is_none());
    let failure = lifecycle::Failure { reason: Reason::AdminApiUnavailable, message: "503".into(), stalled: false, step_was_due: true };
    world.report(&desired, &seen, &lifecycle::Outcome::Failed(failure));
    assert!(world.status().keys.iter().any(|key| key.kid == revoked && key.state == KeyState::Revoked));
}
