//! Keys that retire, leave, or stay.

use jwk_operator::api::{JsonWebKeySetSpec, KeyState, Rotation, UnmanagedKeys};

use super::{FIRST, HOUR, SECOND, announced, drop_entry, material, new_key, private, published, rotating, run, signer, state};
use crate::lifecycle::{
    entries::{entry, generated, hours, set_entries, unannounced},
    world::{End, Fault, LATE, SET, World, kids},
};

/// A set that had a private key is never left without one.
#[test]
fn a_dropped_key_signs_on_while_no_entry_can_sign() {
    let mut world = World::new(generated(&["signing"]));
    world.pass(&[]);
    world.edit(|spec| set_entries(spec, vec![entry(5, 0)]));
    run(&mut world, 72 * HOUR);
    assert_eq!(private(&world), [FIRST]);
    let key = new_key(&world, "legacy-1");
    world.store_secret("legacy", &key);
    run(&mut world, 26 * HOUR);
    assert_eq!(private(&world), ["legacy-1"]);
    assert_eq!(state(&world, FIRST), Some(KeyState::Retired));
}

#[test]
fn a_revoked_signer_leaves_after_another_key_has_taken_its_place() {
    let mut world = World::new(generated(&["signing"]));
    world.pass(&[]);
    world.advance(HOUR);
    world.edit(|spec| spec.revoke.push(FIRST.into()));
    // Only what comes before it is carried out: the revoked key is still there.
    assert_eq!(world.pass(&[Fault::None, Fault::None, Fault::CrashBefore]), End::Crashed);
    assert_eq!(private(&world).len(), 2);
    world.advance(LATE + 1);
    world.pass(&[]);
    assert_eq!(kids(&world), ["shop.payments.signing.20261123T130002Z"]);
    assert!(world.is_ready());
}

#[test]
fn somebody_elses_keys_leave_no_earlier_than_retain_after_they_signed() {
    let mut world = World::new(JsonWebKeySetSpec { unmanaged_keys: Some(UnmanagedKeys::Delete), ..generated(&["signing"]) });
    world.outsider("posts a key", |store| {
        store.create(SET, Some("theirs"), "ES256", "sig").expect("a key");
    });
    run(&mut world, 23 * HOUR);
    assert_eq!(private(&world), ["theirs"], "it signs until an own key was announced");
    run(&mut world, 2 * HOUR);
    assert_eq!(private(&world), [FIRST]);
    run(&mut world, 46 * HOUR);
    assert!(kids(&world).contains(&"theirs".to_owned()));
    assert!(published(&world).contains("theirs"));
    run(&mut world, 3 * HOUR);
    assert_eq!(kids(&world), [FIRST]);
}

#[test]
fn deletion_leaves_what_somebody_added_to_a_set_that_the_operator_made() {
    let mut world = World::new(generated(&["signing"]));
    world.pass(&[]);
    world.outsider("posts a key", |store| {
        store.create(SET, Some("theirs"), "ES256", "sig").expect("a key");
    });
    world.pass(&[]);
    world.delete_resource();
    world.pass(&[]);
    assert!(world.gone);
    assert_eq!(kids(&world), ["theirs"]);
}

#[test]
fn a_dropped_key_stays_as_long_as_its_entry_said() {
    let mut spec = generated(&["signing", "other"]);
    spec.keys[1].rotation = Some(Rotation { retain: Some(hours(72)), prepublish: Some(hours(0)), interval: None });
    let mut world = World::new(spec);
    world.pass(&[]);
    run(&mut world, 26 * HOUR);
    assert_eq!(private(&world).len(), 2);
    drop_entry(&mut world, "other");
    run(&mut world, 71 * HOUR);
    assert_eq!(kids(&world).len(), 2);
    run(&mut world, 2 * HOUR);
    assert_eq!(kids(&world), [FIRST]);
}

#[test]
fn a_retired_key_that_could_sign_again_stays_for_its_whole_time_afterwards() {
    let mut world = World::new(rotating(24, 1, 12));
    world.pass(&[]);
    let old = world.store.get_key(SET, FIRST).expect("a key");
    world.pass_when_due();
    world.pass_when_due();
    assert_eq!(state(&world, FIRST), Some(KeyState::Retired));
    world.advance(10 * HOUR);
    world.outsider("puts the private half back", |store| {
        store.put_key(SET, &old).expect("stored");
    });
    world.pass(&[]);
    assert_ne!(signer(&world), FIRST);
    run(&mut world, 11 * HOUR);
    assert!(kids(&world).contains(&FIRST.to_owned()));
    run(&mut world, 2 * HOUR);
    assert!(!kids(&world).contains(&FIRST.to_owned()));
}

/// Another may write at any time: a set is deleted as a whole only right after it was read.
#[test]
fn a_key_that_somebody_adds_in_the_middle_of_a_deletion_stays() {
    let mut world = World::new(generated(&["signing"]));
    world.pass(&[]);
    // It asks for what is staged between its look at the set and the deletion.
    world.restart();
    world.advance(LATE + 1);
    world.delete_resource();
    world.meanwhile = Some(|world| {
        world.advance(3);
        world.outsider("posts a key", |store| {
            store.create(SET, Some("theirs"), "ES256", "sig").expect("a key");
        });
    });
    world.pass(&[]);
    assert!(world.gone);
    assert_eq!(kids(&world), ["theirs"]);
}

#[test]
fn a_retired_public_half_that_vanished_goes_back() {
    let mut world = announced();
    world.advance(HOUR + 5);
    world.pass(&[]);
    assert_eq!(state(&world, FIRST), Some(KeyState::Retired));
    let known = material(&world, SET, FIRST);
    world.outsider("deletes the public half", |store| store.delete_key(SET, FIRST));
    world.advance(60);
    world.pass(&[]);
    assert_eq!(material(&world, SET, FIRST), known);
    assert!(published(&world).contains(FIRST));
    assert_eq!(private(&world), [SECOND]);
}

#[test]
fn an_expired_key_leaves_the_targets_before_the_set() {
    let mut world = announced();
    world.advance(HOUR + 5);
    world.pass(&[]);
    world.targets_fail = true;
    world.advance(2 * HOUR + 60);
    world.pass(&[]);
    assert!(published(&world).contains(FIRST));
    assert!(kids(&world).contains(&FIRST.to_owned()));
    world.targets_fail = false;
    world.pass(&[]);
    assert_eq!(kids(&world), [SECOND]);
    assert!(!published(&world).contains(FIRST));
}

/// A key for encryption must decrypt for its whole time, and goes then, whosever it is.
#[test]
fn somebody_elses_key_for_encryption_leaves_after_retain() {
    let mut world = World::new(JsonWebKeySetSpec { unmanaged_keys: Some(UnmanagedKeys::Delete), ..unannounced(&["signing"]) });
    world.outsider("posts a key", |store| {
        store.create(SET, Some("theirs"), "ES256", "enc").expect("a key");
    });
    run(&mut world, 46 * HOUR);
    assert!(kids(&world).contains(&"theirs".to_owned()));
    for _ in 0..80 {
        world.advance(HOUR);
        world.pass(&[]);
    }
    assert_eq!(kids(&world).len(), 1);
}
