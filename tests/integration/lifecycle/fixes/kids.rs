//! A kid is requested once, whatever is lost meanwhile.

use jiff::SignedDuration;
use jwk_operator::api::{JsonWebKeySetSpec, KeyState, Rotation};

use super::{
    AFTER_SECOND, FIRST, HOUR, SECOND, add_entry, advance_to, announced, drop_entry, material, published, rotating, run, signer, staged,
    state,
};
use crate::lifecycle::{
    entries::{generated, hours, unannounced},
    world::{End, Fault, LATE, SET, STAGED, World, kids},
};

#[test]
fn a_new_process_waits_for_what_the_one_before_it_may_have_sent() {
    let mut world = World::new(generated(&["a", "b"]));
    world.pass(&[Fault::Late(100)]);
    world.restart();
    assert_eq!(world.pass(&[]), End::Done(0));
    assert!(kids(&world).is_empty());
    world.advance(LATE + 1);
    world.pass(&[]);
    assert_eq!(kids(&world).len(), 2);
    assert!(world.is_ready());
}

#[test]
fn the_slot_of_a_lost_successor_is_not_used_again() {
    let mut world = announced();
    world.outsider("deletes the staged set", |store| store.delete_set(STAGED));
    world.pass(&[]);
    assert_eq!(staged(&world), [AFTER_SECOND]);
    assert_eq!(state(&world, SECOND), Some(KeyState::Retired));
}

#[test]
fn the_slots_of_a_dropped_entry_are_remembered() {
    let mut spec = generated(&["main", "signing"]);
    spec.keys[0].rotation = Some(Rotation { prepublish: Some(hours(0)), ..Rotation::default() });
    spec.keys[1].rotation = Some(Rotation { interval: Some(hours(8)), prepublish: Some(hours(4)), retain: Some(hours(2)) });
    let signing = spec.keys[1].clone();
    let mut world = World::new(spec);
    run(&mut world, 5 * HOUR);
    // The key of 20:00 exists since 16:00; in the meantime its entry comes, goes and comes back.
    let dropped = kids(&world);
    assert!(world.status().slots.contains_key("signing"));
    drop_entry(&mut world, "signing");
    let newest = dropped.iter().filter(|kid| kid.contains(".signing.")).max().expect("a kid").clone();
    world.pass(&[]);
    run(&mut world, 2 * HOUR + 600);
    assert_eq!(kids(&world).len(), 1);
    assert_eq!(world.status().keys.len(), 1);
    let slot = newest.rsplit('.').next().expect("a slot");
    assert_eq!(slot, "20261123T200000Z");
    advance_to(&mut world, "2026-11-23T20:00:00Z");
    add_entry(&mut world, signing);
    world.pass(&[]);
    assert_eq!(staged(&world), [AFTER_SECOND]);
}

#[test]
fn what_the_targets_hold_is_known_after_status_and_set_were_lost() {
    let mut world = announced();
    advance_to(&mut world, "2026-11-23T20:00:00Z");
    world.resource.status = None;
    world.outsider("deletes both sets", |store| {
        store.delete_set(SET);
        store.delete_set(STAGED);
    });
    world.pass(&[]);
    assert_eq!(signer(&world), AFTER_SECOND);
    assert!(published(&world).contains(FIRST) && kids(&world).contains(&FIRST.to_owned()));
}

#[test]
fn the_slot_of_a_revoked_kid_is_not_used() {
    let mut world = World::new(JsonWebKeySetSpec { revoke: vec![FIRST.into()], ..generated(&["signing"]) });
    world.pass(&[]);
    assert_eq!(kids(&world), ["shop.payments.signing.20261123T120001Z"]);
    assert!(!world.history().contains(&format!("CreateKey {{ place: Live, kid: \"{FIRST}\"")));
}

#[test]
fn a_successor_that_was_made_and_lost_unseen_has_its_kid_written_down() {
    for steps in 0..3 {
        let mut world = World::new(rotating(8, 1, 2));
        world.pass(&[]);
        let due = world.seconds_until_due().expect("a rotation");
        world.advance(due);
        let mut faults = vec![Fault::None; steps];
        faults.push(Fault::CrashAfter);
        assert_eq!(world.pass(&faults), End::Crashed);
        let lost = staged(&world);
        world.outsider("deletes the staged set", |store| store.delete_set(STAGED));
        world.advance(LATE + 1);
        world.pass(&[]);
        assert_eq!(staged(&world).len(), 1);
        assert!(lost.iter().all(|lost| !staged(&world).contains(lost)), "{steps}");
    }
}

#[test]
fn a_slot_in_the_future_does_not_put_the_next_rotation_off() {
    let mut world = World::new(rotating(8, 1, 2));
    world.pass(&[]);
    world.clock = SignedDuration::from_hours(24 * 400);
    world.outsider("deletes the set", |store| store.delete_set(SET));
    world.pass(&[]);
    let future = signer(&world);
    assert_eq!(future, "shop.payments.signing.20271228T120002Z");
    world.clock = SignedDuration::ZERO;
    world.restart();
    world.advance(LATE + 1);
    run(&mut world, 10 * HOUR);
    assert_ne!(signer(&world), future);
}

#[test]
fn what_the_status_holds_is_published_again_after_sets_and_targets_were_lost() {
    let mut world = announced();
    let known = (material(&world, SET, FIRST), material(&world, SET, SECOND));
    world.objects.clear();
    world.outsider("deletes both sets", |store| {
        store.delete_set(SET);
        store.delete_set(STAGED);
    });
    world.pass(&[]);
    assert_eq!((material(&world, SET, FIRST), material(&world, SET, SECOND)), known);
    assert!(published(&world).contains(FIRST) && published(&world).contains(SECOND));
    assert_eq!(signer(&world), AFTER_SECOND);
}

#[test]
fn the_first_key_of_a_later_entry_is_named_after_the_present() {
    let mut world = World::new(unannounced(&["main"]));
    world.pass(&[]);
    world.advance(5 * HOUR);
    add_entry(&mut world, generated(&["signing"]).keys.remove(0));
    world.pass(&[]);
    assert_eq!(staged(&world), ["shop.payments.signing.20261123T170002Z"]);
}

#[test]
fn a_kid_that_was_written_down_and_surely_not_used_is_used() {
    let mut world = World::new(rotating(8, 1, 2));
    world.pass(&[]);
    let due = world.seconds_until_due().expect("a rotation");
    world.advance(due);
    // The record is stored, and the request refused.
    assert_eq!(world.pass(&[Fault::None, Fault::Refused]), End::Stopped);
    assert_eq!(state(&world, SECOND), Some(KeyState::Planned));
    world.advance(60);
    world.pass(&[]);
    assert_eq!(staged(&world), [SECOND]);
}
