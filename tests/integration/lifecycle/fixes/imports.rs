//! Keys that come out of a Secret.

use jwk_operator::api::{JsonWebKeySetSpec, KeyState, Mode};

use super::{HOUR, add_entry, drop_entry, new_key, private, published, run, state};
use crate::lifecycle::{
    entries::{entry, set_entries, unannounced},
    world::{End, Fault, LATE, SET, World, kids},
};

/// A verifier that knows the kid would never fetch the new key.
#[test]
fn a_new_key_under_an_imported_kid_is_refused() {
    let mut world = World::new(JsonWebKeySetSpec { keys: vec![entry(5, 7)], ..JsonWebKeySetSpec::default() });
    let key = new_key(&world, "legacy-1");
    world.store_secret("legacy", &key);
    world.pass(&[]);
    assert_eq!(private(&world), ["legacy-1"]);
    let other = new_key(&world, "legacy-1");
    world.store_secret("legacy", &other);
    let before = world.live();
    run(&mut world, HOUR);
    assert_eq!(world.live(), before);
    assert_eq!(world.reason(), "KidTaken");
}

#[test]
fn an_import_that_was_stored_before_a_crash_is_known_when_its_secret_is_gone() {
    let mut world = World::new(JsonWebKeySetSpec { keys: vec![entry(5, 7)], ..JsonWebKeySetSpec::default() });
    let key = new_key(&world, "legacy-1");
    world.store_secret("legacy", &key);
    while kids(&world).is_empty() {
        assert_eq!(world.pass(&[Fault::CrashAfter]), End::Crashed);
        world.advance(LATE + 1);
    }
    world.secrets.clear();
    world.pass(&[]);
    assert_eq!(state(&world, "legacy-1"), Some(KeyState::Active));
}

#[test]
fn a_key_that_somebody_had_under_an_imported_kid_stays_theirs() {
    let mut world = World::new(unannounced(&["signing"]));
    let theirs = new_key(&world, "legacy-1");
    world.outsider("posts a key", |store| {
        store.put_key(SET, &theirs).expect("stored");
    });
    world.pass(&[]);
    let key = new_key(&world, "legacy-1");
    world.store_secret("legacy", &key);
    add_entry(&mut world, entry(5, 7));
    world.pass(&[]);
    assert_eq!(world.reason(), "KidTaken");
    assert_eq!(state(&world, "legacy-1"), Some(KeyState::Unmanaged));
    drop_entry(&mut world, "legacy");
    run(&mut world, 80 * HOUR);
    assert_eq!(world.store.get_key(SET, "legacy-1").expect("a key"), theirs);
}

#[test]
fn an_import_that_was_published_before_a_crash_stays_for_its_whole_time_when_entry_and_set_are_gone() {
    let mut world = World::new(JsonWebKeySetSpec { keys: vec![entry(5, 7)], ..JsonWebKeySetSpec::default() });
    let key = new_key(&world, "legacy-1");
    world.store_secret("legacy", &key);
    let mut faults = vec![Fault::None, Fault::None];
    while published(&world).is_empty() {
        faults.push(Fault::CrashAfter);
        assert_eq!(world.pass(&faults), End::Crashed);
        world.advance(LATE + 1);
        faults.clear();
    }
    drop_entry(&mut world, "legacy");
    world.outsider("deletes the key", |store| store.delete_key(SET, "legacy-1"));
    run(&mut world, HOUR);
    assert!(published(&world).contains("legacy-1"));
}

/// The status has it as more than planned before a target shows it.
#[test]
fn a_kid_that_a_target_showed_before_a_crash_gets_no_second_key_after_set_and_targets_were_lost() {
    for entries in [vec![entry(5, 7)], vec![entry(0, 0), entry(5, 1)]] {
        let mut world = World::new(JsonWebKeySetSpec::default());
        world.edit(|spec| set_entries(spec, entries));
        let key = new_key(&world, "legacy-1");
        world.store_secret("legacy", &key);
        while !published(&world).contains("legacy-1") {
            assert_eq!(world.pass(&[Fault::CrashAfter]), End::Crashed);
            world.advance(LATE + 1);
        }
        let other = new_key(&world, "legacy-1");
        world.store_secret("legacy", &other);
        world.objects.clear();
        world.outsider("deletes the set", |store| store.delete_set(SET));
        run(&mut world, 100 * HOUR);
        assert_eq!(world.reason(), "KidTaken");
        assert!(world.live().iter().all(|live| live.public_thumbprint() != other.public_thumbprint()));
    }
}

#[test]
fn a_secret_that_was_corrected_after_its_key_was_refused_is_imported() {
    let mut world = World::new(JsonWebKeySetSpec { keys: vec![entry(5, 7)], ..JsonWebKeySetSpec::default() });
    let wrong = new_key(&world, "legacy-1");
    world.store_secret("legacy", &wrong);
    for _ in 0..3 {
        world.pass(&[Fault::RefusedKey; 4]);
        assert_eq!((world.reason().as_str(), state(&world, "legacy-1")), ("AdminApiRefused", Some(KeyState::Planned)));
        world.advance(60);
    }
    let right = new_key(&world, "legacy-1");
    world.store_secret("legacy", &right);
    world.pass(&[]);
    assert_eq!(private(&world), ["legacy-1"]);
    assert_eq!(world.live()[0].public_thumbprint(), right.public_thumbprint());
}

/// A verifier that knows the kid would never fetch the new key, also long after the first one is gone.
#[test]
fn a_kid_that_an_entry_wants_gets_no_second_key_after_the_first_was_lost_unrepaired() {
    let mut world = World::new(JsonWebKeySetSpec { keys: vec![entry(5, 7)], ..JsonWebKeySetSpec::default() });
    let key = new_key(&world, "legacy-1");
    world.store_secret("legacy", &key);
    world.pass(&[]);
    let other = new_key(&world, "legacy-1");
    world.store_secret("legacy", &other);
    world.outsider("deletes the key", |store| store.delete_key(SET, "legacy-1"));
    world.pass(&[Fault::Refused]);
    world.edit(|spec| spec.mode = Some(Mode::Observe));
    run(&mut world, 100 * HOUR);
    world.edit(|spec| spec.mode = Some(Mode::Enforce));
    run(&mut world, 100 * HOUR);
    assert_eq!(world.reason(), "KidTaken");
    assert!(world.live().iter().all(|live| live.public_thumbprint() != other.public_thumbprint()));
}
