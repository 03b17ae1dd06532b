//! One short history for each rule that a longer one taught: what went wrong once, or would, without the rule.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use jwk_operator::{
    api::{self, Algorithm, JsonWebKeySetSpec, KeyState, Mode, ROTATE_AT_ANNOTATION, Rotation, UnmanagedKeys},
    jwk::Jwk,
};
use kube::ResourceExt as _;

use super::{
    entries::{entry, generated, hours, set_entries, target, unannounced, with_rotation},
    world::{End, Fault, LATE, SET, STAGED, World, kids},
};

const HOUR: i64 = 3600;
/// The first key of the entry `signing`, and the one that follows after eight hours.
const FIRST: &str = "shop.payments.signing.20261123T120000Z";
const SECOND: &str = "shop.payments.signing.20261123T200000Z";
/// The same slot when it may not be used.
const AFTER_SECOND: &str = "shop.payments.signing.20261123T200001Z";

/// An entry `signing` with these hours of interval, prepublish and retain.
fn rotating(interval: u64, prepublish: u64, retain: u64) -> JsonWebKeySetSpec {
    let rotation = Rotation { interval: Some(hours(interval)), prepublish: Some(hours(prepublish)), retain: Some(hours(retain)) };
    with_rotation(generated(&["signing"]), rotation)
}

/// The world of [`rotating`] in which the second key is announced, an hour before its time.
fn announced() -> World {
    let mut world = World::new(rotating(8, 1, 2));
    world.pass(&[]);
    world.pass_when_due();
    assert_eq!(state(&world, SECOND), Some(KeyState::Announced));
    assert_eq!(signer(&world), FIRST);
    world
}

fn signer(world: &World) -> String {
    private(world).into_iter().next().expect("a private key")
}

fn private(world: &World) -> Vec<String> {
    world.live().iter().filter(|key| key.is_private()).filter_map(|key| key.kid().map(str::to_owned)).collect()
}

fn staged(world: &World) -> Vec<String> {
    world.staged().iter().filter_map(|key| key.kid().map(str::to_owned)).collect()
}

fn published(world: &World) -> BTreeSet<String> {
    world.objects.values().flat_map(|held| held.content.published().into_keys()).map(|kid| kid.to_string()).collect()
}

fn state(world: &World, kid: &str) -> Option<KeyState> {
    world.status().keys.iter().find(|key| key.kid == kid).map(|key| key.state)
}

/// What no two keys share.
fn material(world: &World, set: &str, kid: &str) -> String {
    world.store.get_key(set, kid).expect("a key").text("x").expect("a member").to_owned()
}

fn new_key(world: &World, kid: &str) -> Jwk {
    world.store.generator().generate("ES256").expect("a key").with("kid", kid).with("use", "sig").with("alg", "ES256")
}

/// Lets time pass until `moment`.
fn advance_to(world: &mut World, moment: &str) {
    let moment: Timestamp = moment.parse().expect("a time");
    world.advance(moment.duration_since(world.now).as_secs());
}

/// Passes whenever something falls due, for this long.
fn run(world: &mut World, seconds: i64) {
    let end = world.now + SignedDuration::from_secs(seconds);
    world.pass(&[]);
    while let Some(due) = world.seconds_until_due().map(|due| due.max(1)).filter(|due| world.now + SignedDuration::from_secs(*due) <= end) {
        world.advance(due);
        world.pass(&[]);
    }
    world.advance(end.duration_since(world.now).as_secs());
    world.pass(&[]);
}

fn add_entry(world: &mut World, new: api::KeySource) {
    let mut entries = world.resource.spec.keys.clone();
    entries.push(new);
    world.edit(|spec| set_entries(spec, entries));
}

fn drop_entry(world: &mut World, name: &str) {
    let entries = world.resource.spec.keys.iter().filter(|entry| entry.name != name).cloned().collect();
    world.edit(|spec| set_entries(spec, entries));
}

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
fn the_slot_of_a_lost_successor_is_not_used_again() {
    let mut world = announced();
    world.outsider("deletes the staged set", |store| store.delete_set(STAGED));
    world.pass(&[]);
    assert_eq!(staged(&world), [AFTER_SECOND]);
    assert_eq!(state(&world, SECOND), Some(KeyState::Retired));
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
fn a_target_that_nobody_could_read_yet_delays_no_rotation() {
    let mut world = announced();
    world.advance(HOUR + 5);
    world.edit(|spec| spec.publish = Some(vec![target("payments-jwks"), target("second")]));
    world.pass(&[]);
    assert_eq!(signer(&world), SECOND);
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
fn targets_do_not_follow_a_public_half_that_somebody_replaced() {
    let mut world = announced();
    world.advance(HOUR + 5);
    world.pass(&[]);
    let (known, objects) = (material(&world, SET, FIRST), world.objects.clone());
    let other = new_key(&world, FIRST).public_half().expect("a public half").as_jwk().clone();
    world.outsider("replaces the public half", |store| {
        store.put_key(SET, &other).expect("stored");
    });
    world.pass(&[]);
    assert_eq!(world.objects, objects, "no target was written");
    assert_eq!(material(&world, SET, FIRST), known);
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

/// A set whose signer waits for its Secret while `signing` signs in its place, and whose first key somebody replaced.
fn intruded(spec: JsonWebKeySetSpec, posts_another: bool) -> World {
    let mut world = World::new(spec);
    world.pass(&[]);
    add_entry(&mut world, entry(5, 7));
    world.edit(|spec| spec.signer = Some("legacy".into()));
    world.pass(&[]);
    assert_eq!(private(&world), [FIRST]);
    let (intruder, foreign) = (new_key(&world, FIRST), new_key(&world, "theirs"));
    world.outsider("replaces the key", |store| {
        store.put_key(SET, &intruder).expect("stored");
        if posts_another {
            store.put_key(SET, &foreign).expect("stored");
        }
    });
    run(&mut world, HOUR);
    assert_eq!(world.reason(), "SourceMissing");
    world
}

#[test]
fn an_intruder_in_front_gives_way_to_another_entry_while_the_signer_has_no_key() {
    let mut world = intruded(unannounced(&["signing"]), false);
    let second = private(&world);
    assert!(second.len() == 1 && second[0] != FIRST, "{second:?}");
    let intruder = new_key(&world, FIRST);
    world.outsider("puts a private key in front", |store| {
        store.put_key(SET, &intruder).expect("stored");
    });
    run(&mut world, HOUR);
    assert_eq!(private(&world), second);
}

#[test]
fn an_intruder_behind_somebody_elses_key_leaves_while_the_signer_has_no_key() {
    let world = intruded(generated(&["signing"]), true);
    assert_eq!(signer(&world), "theirs");
    assert!(!private(&world).iter().any(|kid| kid == FIRST));
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
