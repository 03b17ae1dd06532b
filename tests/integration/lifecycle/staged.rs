//! What the status says of the staged set, and when the staged set has to be read.

use jwk_operator::{
    api::{JsonWebKeySetSpec, Mode, Reason, Rotation},
    lifecycle::{self, Local, Observed, Record, Step},
};

use super::{
    entries::{generated, hours, with_rotation},
    world::{Fault, LATE, SET, STAGED, World},
};

/// One entry that rotates every eight hours, announced an hour before.
fn rotating() -> JsonWebKeySetSpec {
    let rotation = Rotation { interval: Some(hours(8)), prepublish: Some(hours(1)), retain: Some(hours(2)) };
    with_rotation(generated(&["signing"]), rotation)
}

fn count(world: &World) -> Option<i64> {
    world.status().staged_key_count
}

/// How often the staged set was read in the passes so far.
fn readings(world: &World) -> usize {
    world.history().matches("ReadStaged").count()
}

/// A world in which the next key is due to be staged.
fn due() -> World {
    let mut world = World::new(rotating());
    world.pass(&[]);
    let seconds = world.seconds_until_due().expect("a rotation");
    world.advance(seconds);
    world
}

/// A process that starts, when nothing of an earlier one may be under way any more.
fn start(world: &mut World) {
    world.restart();
    world.advance(LATE + 1);
}

/// The status of a version that did not count.
fn forget(world: &mut World) {
    world.resource.status.as_mut().expect("a status").staged_key_count = None;
}

#[test]
fn a_start_asks_for_nothing_where_nothing_is_staged() {
    let mut world = World::new(rotating());
    world.pass(&[]);
    assert_eq!(count(&world), Some(0));
    world.restart();
    // Also while a write of another process may be under way: none that stages a key is.
    world.pass(&[]);
    start(&mut world);
    world.pass(&[]);
    assert_eq!((readings(&world), count(&world)), (0, Some(0)));
}

#[test]
fn what_waits_is_counted_until_it_signs() {
    let mut world = World::new(rotating());
    world.pass(&[]);
    world.pass_when_due();
    assert_eq!(count(&world), Some(1));
    start(&mut world);
    world.pass(&[]);
    assert_eq!((readings(&world) > 0, count(&world)), (true, Some(1)));
    world.pass_when_due();
    assert!(world.staged().is_empty());
    assert_eq!(count(&world), Some(0));
}

/// Whatever becomes of the process: before a key is staged the status does not say that there is none.
#[test]
fn the_status_never_says_that_nothing_is_staged_while_something_is() {
    for before in 0..6 {
        let mut world = due();
        let faults: Vec<_> = std::iter::repeat_n(Fault::None, before).chain([Fault::CrashAfter]).collect();
        world.pass(&faults);
        assert!(world.staged().is_empty() || count(&world) != Some(0), "{before}");
        start(&mut world);
        world.pass(&[]);
        assert_eq!((world.staged().len(), count(&world)), (1, Some(1)), "{before}");
    }
}

/// What is known of the staged set after a look at `world`, without one at the staged set.
fn counted(world: &World, is_first_look: bool) -> Option<usize> {
    let desired = world.desired().expect("granted");
    let mut seen = Observed::new(Local::new(Record::from_status(&world.status())));
    seen.finalizer = true;
    seen.is_first_look = is_first_look;
    seen.fold(&Step::ReadLive, world.read(SET), world.now);
    lifecycle::assess(&desired, &seen, world.now).record.staged_keys
}

/// Whoever takes the finalizer away makes no new resource of it: what was staged before may be there still.
#[test]
fn without_its_finalizer_a_resource_is_not_taken_for_a_new_one() {
    let mut world = World::new(rotating());
    world.pass(&[]);
    forget(&mut world);
    assert_eq!(counted(&world, true), None);
}

/// What was counted at another server says nothing about this one.
#[test]
fn another_server_is_asked_anew() {
    let mut world = World::new(rotating());
    world.pass(&[]);
    assert_eq!(counted(&world, false), Some(0));
    world.url = "http://127.0.0.2:4445".into();
    assert_eq!(counted(&world, false), None);
}

/// While the set is not this resource's to write, another one may stage keys there.
#[test]
fn what_others_may_have_staged_meanwhile_is_read() {
    let mut world = World::new(rotating());
    world.pass(&[]);
    world.edit(|spec| spec.mode = Some(Mode::Observe));
    world.pass(&[]);
    assert_eq!(count(&world), None);
    world.edit(|spec| spec.mode = None);
    world.pass(&[]);
    assert_eq!((readings(&world), count(&world)), (1, Some(0)));

    let refusal = lifecycle::SpecRefusal { reason: Reason::SetConflict, message: "it is another's".to_owned() };
    let granted = world.desired().expect("granted").publication;
    let local = Local::new(Record::from_status(&world.status()));
    let status = lifecycle::refused(&world.status(), 1, &refusal, (&granted, &local), world.now);
    assert_eq!(status.staged_key_count, None);
}

/// Whatever the status says, nothing stays in the staged set of a resource that goes.
#[test]
fn a_deletion_looks_into_the_staged_set() {
    let mut world = World::new(rotating());
    world.pass(&[]);
    world.outsider("leaves a key in the staged set", |store| {
        store.create(STAGED, Some("shop.payments.signing.20260101T000000Z"), "ES256", "sig").expect("a key");
    });
    assert_eq!(count(&world), Some(0));
    world.delete_resource();
    world.pass(&[]);
    assert!(world.gone && world.staged().is_empty() && world.live().is_empty());
}

#[test]
fn a_status_that_does_not_count_is_completed_by_one_reading() {
    let mut world = World::new(rotating());
    world.pass(&[]);
    forget(&mut world);
    start(&mut world);
    world.pass(&[]);
    assert_eq!((readings(&world), count(&world)), (1, Some(0)));
    start(&mut world);
    world.pass(&[]);
    assert_eq!(readings(&world), 1);
}

/// While a write of an earlier process may land, an empty staged set is not known to stay empty.
#[test]
fn an_empty_staged_set_is_not_believed_too_early() {
    let mut world = World::new(rotating());
    world.pass(&[]);
    forget(&mut world);
    world.restart();
    world.pass(&[]);
    assert_eq!(count(&world), None);
}

/// What an earlier resource left in the staged set is found where the set was there before.
#[test]
fn the_staged_set_of_a_set_that_was_found_is_read() {
    let mut world = World::new(rotating());
    world.outsider("leaves a set and what was staged for it", |store| {
        store.create(SET, Some("theirs"), "ES256", "sig").expect("a key");
        store.create(STAGED, Some("shop.payments.signing.20260101T000000Z"), "ES256", "sig").expect("a key");
    });
    world.pass(&[]);
    world.pass(&[]);
    assert!(readings(&world) > 0);
    assert_eq!(count(&world), i64::try_from(world.staged().len()).ok());
}
