//! From a key that is made to a key that signs.

use jiff::SignedDuration;
use jwk_operator::{
    api::{self, Algorithm, ROTATE_AT_ANNOTATION},
    lifecycle::Document,
};
use kube::ResourceExt as _;

use super::{
    AFTER_SECOND, FIRST, HOUR, SECOND, add_entry, announced, material, new_key, private, published, rotating, run, signer, staged,
};
use crate::lifecycle::{
    entries::{entry, generated, hours, target, target_id},
    world::{End, Fault, LATE, SET, STAGED, World, kids},
};

#[test]
fn a_staged_key_that_somebody_replaced_never_signs() {
    let mut world = announced();
    let known = material(&world, SET, SECOND);
    let other = new_key(&world, SECOND);
    world.outsider("replaces the staged key", |store| {
        store.put_key(STAGED, &other).expect("stored");
    });
    run(&mut world, 3 * HOUR / 2);
    assert_eq!(signer(&world), AFTER_SECOND);
    assert_eq!(material(&world, SET, SECOND), known, "its public half stays the one that was published");
}

#[test]
fn the_first_key_of_a_new_entry_is_announced_while_another_signs() {
    let mut world = World::new(rotating(8, 1, 2));
    world.pass(&[]);
    add_entry(&mut world, entry(1, 2));
    world.pass(&[]);
    assert_eq!(kids(&world).len(), 2);
    assert_eq!(private(&world), [FIRST]);
    world.advance(4 * HOUR - 60);
    world.pass(&[]);
    assert_eq!(private(&world), [FIRST]);
    world.advance(61);
    world.pass(&[]);
    assert_eq!(private(&world).len(), 2);
}

#[test]
fn the_announcement_counts_anew_when_a_target_was_lost() {
    let mut world = announced();
    world.advance(HOUR / 2);
    world.objects.clear();
    world.pass(&[]);
    assert!(published(&world).contains(SECOND));
    world.advance(HOUR / 2 + 60);
    world.pass(&[]);
    assert_eq!(signer(&world), FIRST);
    world.advance(HOUR / 2);
    world.pass(&[]);
    assert_eq!(signer(&world), SECOND);
}

#[test]
fn the_announcement_counts_anew_when_the_set_lost_the_public_half() {
    let mut world = announced();
    world.advance(HOUR / 2);
    world.outsider("deletes the public half", |store| store.delete_key(SET, SECOND));
    world.pass(&[]);
    assert!(kids(&world).contains(&SECOND.to_owned()));
    world.advance(HOUR / 2 + 60);
    world.pass(&[]);
    assert_eq!(signer(&world), FIRST);
    world.advance(HOUR / 2);
    world.pass(&[]);
    assert_eq!(signer(&world), SECOND);
}

#[test]
fn a_wrong_clock_rotates_nothing_and_forgets_no_key() {
    let mut world = announced();
    world.clock = SignedDuration::from_hours(24 * 400);
    world.pass(&[]);
    world.advance(60);
    world.pass(&[]);
    assert_eq!(signer(&world), FIRST);
    assert_eq!(kids(&world).len(), 2);
    // What needs no time goes on.
    world.edit(|spec| spec.revoke.push(SECOND.into()));
    world.pass(&[]);
    assert!(!kids(&world).contains(&SECOND.to_owned()));
}

#[test]
fn another_algorithm_comes_as_a_new_key_that_is_announced() {
    let mut world = World::new(rotating(8, 1, 2));
    world.pass(&[]);
    world.edit(|spec| spec.keys[0].generate = Some(api::Generate { alg: Algorithm::EdDSA, key_use: None }));
    world.pass(&[]);
    assert_eq!(private(&world), [FIRST]);
    assert_eq!(kids(&world).len(), 2);
    world.advance(HOUR + 5);
    world.pass(&[]);
    assert_ne!(signer(&world), FIRST);
    assert_eq!(world.store.get_key(SET, &signer(&world)).expect("a key").alg(), Some("EdDSA"));
}

#[test]
fn a_successor_of_another_algorithm_does_not_sign() {
    let mut world = announced();
    world.edit(|spec| spec.keys[0].generate = Some(api::Generate { alg: Algorithm::EdDSA, key_use: None }));
    world.pass(&[]);
    assert_eq!(staged(&world).len(), 1);
    assert_ne!(staged(&world), [SECOND]);
    run(&mut world, 3 * HOUR);
    assert_eq!(world.store.get_key(SET, &signer(&world)).expect("a key").alg(), Some("EdDSA"));
    assert!(staged(&world).is_empty());
}

#[test]
fn a_staged_key_older_than_the_signer_is_deleted_and_never_promoted() {
    const OLD: &str = "shop.payments.signing.20260101T000000Z";
    let mut world = World::new(rotating(8, 1, 2));
    world.pass(&[]);
    // As after a version that did not count what is staged.
    world.resource.status.as_mut().expect("a status").staged_key_count = None;
    world.restart();
    world.advance(LATE + 1);
    let old = new_key(&world, OLD);
    world.outsider("stages an old key", |store| {
        store.put_key(STAGED, &old).expect("stored");
    });
    world.pass(&[]);
    assert!(staged(&world).is_empty());
    assert_eq!(kids(&world), [FIRST]);
}

#[test]
fn what_signs_already_does_not_wait_in_the_staged_set() {
    let mut world = announced();
    world.advance(HOUR + 5);
    // It dies after it let the key sign, before it emptied the staged set.
    while signer(&world) == FIRST {
        assert_eq!(world.pass(&[Fault::CrashAfter]), End::Crashed);
        world.advance(LATE + 1);
    }
    assert_eq!(staged(&world), [SECOND]);
    world.pass(&[]);
    assert!(staged(&world).is_empty());
    assert_eq!(private(&world), [SECOND]);
}

#[test]
fn the_staged_key_signs_when_announcing_is_given_up() {
    let mut world = announced();
    let waiting = material(&world, STAGED, SECOND);
    world.edit(|spec| spec.keys[0].rotation.as_mut().expect("a rotation").prepublish = Some(hours(0)));
    world.advance(HOUR + 5);
    world.pass(&[]);
    assert_eq!(signer(&world), SECOND);
    assert_eq!(material(&world, SET, SECOND), waiting);
}

#[test]
fn a_target_that_nobody_could_read_yet_delays_no_rotation() {
    let mut world = announced();
    world.advance(HOUR + 5);
    world.edit(|spec| spec.publish = Some(vec![target("payments-jwks"), target("second")]));
    world.pass(&[]);
    assert_eq!(signer(&world), SECOND);
}

#[test]
fn a_successor_waits_when_rotation_is_given_up() {
    let mut world = announced();
    world.edit(|spec| spec.keys[0].rotation.as_mut().expect("a rotation").interval = None);
    run(&mut world, 48 * HOUR);
    assert_eq!(private(&world), [FIRST]);
    assert_eq!(staged(&world), [SECOND]);
    world.edit(|spec| spec.keys[0].rotation.as_mut().expect("a rotation").interval = Some(hours(8)));
    world.pass(&[]);
    assert_eq!(private(&world), [SECOND]);
}

#[test]
fn a_symmetric_successor_does_not_sign_before_its_time() {
    let mut spec = generated(&["signing"]);
    spec.keys = vec![entry(2, 2)];
    let mut world = World::new(spec);
    world.pass(&[]);
    let first = signer(&world);
    world.advance(20 * HOUR + 60);
    world.pass(&[]);
    assert_eq!(staged(&world).len(), 1);
    assert_eq!(private(&world), [first.as_str()]);
    world.advance(4 * HOUR);
    world.pass(&[]);
    assert_ne!(signer(&world), first);
}

/// Rule 14, which is judged at each removal.
#[test]
fn what_replaces_a_target_holds_the_announced_key_before_it_goes() {
    let mut world = announced();
    world.edit(|spec| spec.publish = Some(vec![target("payments-jwks"), target("second")]));
    world.pass(&[]);
    let half = world.store.get_key(SET, FIRST).expect("a key").public_half().expect("a public half");
    let lacking = Document::read(&serde_json::json!({ "keys": [half] }).to_string());
    for document in world.objects.get_mut(&target_id("second")).expect("a target").content.data.values_mut() {
        *document = lacking.clone();
    }
    world.edit(|spec| spec.publish = Some(vec![target("second")]));
    world.pass(&[]);
    assert!(world.objects.keys().eq([&target_id("second")]));
    assert!(published(&world).contains(SECOND));
}

/// Else the time in which a target lacked the key would count after a crash.
#[test]
fn a_lost_announcement_is_written_down_before_it_is_repaired() {
    for steps in 0..2 {
        let mut world = announced();
        world.advance(HOUR / 2);
        world.objects.clear();
        let mut faults = vec![Fault::None; steps];
        faults.push(Fault::CrashAfter);
        assert_eq!(world.pass(&faults), End::Crashed);
        world.advance(HOUR / 2 + 60);
        world.pass(&[]);
        assert_eq!(signer(&world), FIRST, "{steps}");
        run(&mut world, HOUR + 60);
        assert_eq!(signer(&world), SECOND, "{steps}");
    }
}

#[test]
fn a_rotation_that_is_asked_for_is_announced_first_and_done_once() {
    let mut world = World::new(rotating(8, 1, 2));
    world.pass(&[]);
    world.advance(2 * HOUR);
    let at = format!("{:.0}", world.now);
    world.resource.annotations_mut().insert(ROTATE_AT_ANNOTATION.into(), at);
    world.pass(&[]);
    assert_eq!(private(&world), [FIRST]);
    run(&mut world, HOUR + 60);
    assert_eq!(private(&world), ["shop.payments.signing.20261123T140002Z"]);
    run(&mut world, 4 * HOUR);
    assert_eq!(kids(&world), ["shop.payments.signing.20261123T140002Z"]);
}
