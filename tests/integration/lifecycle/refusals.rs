//! What cannot be done with one key does not keep the others from going on, and what is asked for again and again is done once.

use jiff::SignedDuration;
use jwk_operator::{
    api::{Algorithm, JsonWebKeySetSpec, KeyState, ROTATE_AT_ANNOTATION, Rotation, UnmanagedKeys},
    jwk::Jwk,
    lifecycle::{self, Answer, DeleteCause, Place, Severity, Step},
};
use kube::ResourceExt as _;

use super::{
    entries::{entry, generated, hours, set_entries, unannounced, with_rotation},
    world::{End, Fault, LATE, SET, World, kids},
};

const HOUR: i64 = 3600;

/// Entries of these names, each rotated every eight hours and announced for one.
fn rotating(names: &[&str]) -> JsonWebKeySetSpec {
    with_rotation(generated(names), Rotation { interval: Some(hours(8)), prepublish: Some(hours(1)), retain: Some(hours(2)) })
}

fn private_of(world: &World, name: &str) -> Vec<String> {
    let prefix = format!("{SET}.{name}.");
    let private = world.live().into_iter().filter(Jwk::is_private);
    private.filter_map(|key| key.kid().map(str::to_owned)).filter(|kid| kid.starts_with(&prefix)).collect()
}

fn condition(world: &World, kind: &str) -> Option<(String, String)> {
    let conditions = world.status().conditions;
    conditions.into_iter().find(|condition| condition.type_ == kind).map(|condition| (condition.reason, condition.message))
}

/// Asks for a rotation now.
fn ask(world: &mut World) {
    let now = format!("{:.0}", world.now);
    world.resource.annotations_mut().insert(ROTATE_AT_ANNOTATION.into(), now);
}

#[test]
fn a_refused_key_does_not_keep_the_others_from_rotating() {
    let mut world = World::new(rotating(&["alpha", "beta"]));
    world.pass(&[]);
    let before = (private_of(&world, "alpha"), private_of(&world, "beta"));
    for _ in 0..9 * 60 {
        world.advance(60);
        // The first write of one key in each pass.
        world.pass(&[Fault::None, Fault::RefusedKey]);
    }
    world.pass(&[]);
    assert_eq!(private_of(&world, "alpha").len(), 1);
    assert_eq!(private_of(&world, "beta").len(), 1);
    assert_ne!((private_of(&world, "alpha"), private_of(&world, "beta")), before);
}

#[test]
fn a_revocation_goes_before_everything_that_may_be_refused() {
    let mut world = World::new(unannounced(&["alpha", "beta"]));
    world.pass(&[]);
    let revoked = private_of(&world, "beta").remove(0);
    let mut keys = world.resource.spec.keys.clone();
    keys.push(entry(6, 0));
    world.edit(|spec| {
        set_entries(spec, keys);
        spec.revoke.push(revoked.clone());
    });
    world.refuses_one_of = Some(1);
    world.pass(&[]);
    assert!(kids(&world).contains(&revoked), "the server refuses this, too");
    assert_eq!(world.reason(), "AdminApiRefused");
    world.refuses_one_of = None;
    // Whatever is written first is refused, but for the removal.
    world.pass(&[Fault::None, Fault::None, Fault::RefusedKey, Fault::RefusedKey, Fault::RefusedKey]);
    assert!(!kids(&world).contains(&revoked));
}

#[test]
fn the_last_private_key_leaves_if_it_is_revoked_and_its_successor_is_refused() {
    let mut world = World::new(rotating(&["signing"]));
    world.pass(&[]);
    let revoked = private_of(&world, "signing").remove(0);
    world.edit(|spec| spec.revoke.push(revoked.clone()));
    // The record is stored, the new key refused.
    world.pass(&[Fault::None, Fault::RefusedKey]);
    assert!(!kids(&world).contains(&revoked));
    let (reason, message) = condition(&world, "Stalled").expect("somebody has to look");
    assert!(reason == "AdminApiRefused" && message.contains("goes on"), "{reason}: {message}");
    world.pass(&[]);
    assert!(world.is_ready() && private_of(&world, "signing").len() == 1, "it was tried again");
}

#[test]
fn a_refusal_is_told_and_forgotten_with_the_pass() {
    let mut world = World::new(rotating(&["signing"]));
    world.refuses_one_of = Some(1);
    world.pass(&[]);
    assert_eq!(world.pass(&[]), world.pass(&[]), "the same again, and nothing piles up");
    let planned = world.status().keys.iter().filter(|key| key.state == KeyState::Planned).count();
    assert!(planned <= 1 && condition(&world, "Stalled").is_some(), "{:?}", world.status());
    world.refuses_one_of = None;
    world.pass(&[]);
    assert!(world.is_ready() && condition(&world, "Stalled").is_none(), "{:?}", world.status());
}

#[test]
fn what_is_past_and_cannot_be_done_wakes_nobody() {
    let mut world = World::new(rotating(&["signing"]));
    world.pass(&[]);
    world.advance(60);
    ask(&mut world);
    world.clock = SignedDuration::from_hours(1);
    assert_eq!(world.pass(&[]), End::Done(0), "nothing is timed while the clocks differ");
    assert_eq!(world.seconds_until_due(), None, "the resync looks again");
    world.clock = SignedDuration::ZERO;
    assert_ne!(world.pass(&[]), End::Done(0));
}

#[test]
fn five_hundred_foreign_keys_leave_without_a_complaint() {
    let mut spec = rotating(&["signing"]);
    spec.unmanaged_keys = Some(UnmanagedKeys::Delete);
    let mut world = World::new(spec);
    world.pass(&[]);
    let key = world.store.generator().generate("ES256").expect("a key").public_half().expect("a public half").as_jwk().clone();
    world.outsider("posts 500 keys", |store| {
        for index in 0..500 {
            let public = key.clone().with("kid", format!("theirs-{index}").as_str());
            store.put_key(SET, &public).expect("stored");
        }
    });
    for _ in 0..20 {
        world.pass(&[]);
        world.advance(world.seconds_until_due().unwrap_or(49 * HOUR).max(60));
        if kids(&world).len() < 4 {
            break;
        }
    }
    assert!(kids(&world).len() < 4, "{} are left", kids(&world).len());
}

#[test]
fn an_announced_successor_answers_every_wish() {
    let mut spec = rotating(&["signing"]);
    spec.keys[0].rotation = Some(Rotation { interval: None, prepublish: Some(hours(1)), retain: Some(hours(48)) });
    let mut world = World::new(spec);
    world.pass(&[]);
    for _ in 0..12 {
        world.advance(2);
        ask(&mut world);
        world.pass(&[]);
    }
    assert_eq!(kids(&world).len(), 2, "one signs, one is announced");
    assert_eq!(world.staged().len(), 1);
    for _ in 0..4 {
        world.advance(HOUR);
        world.pass(&[]);
    }
    let wish = world.resource.annotations().get(ROTATE_AT_ANNOTATION).cloned();
    assert_eq!((kids(&world).len(), world.status().last_handled_rotate_at), (2, wish), "rotated once");
}

#[test]
fn a_wish_that_is_put_off_is_done_when_it_says_now() {
    let mut spec = rotating(&["signing"]);
    spec.keys[0].rotation = Some(Rotation { interval: None, prepublish: Some(hours(1)), retain: Some(hours(48)) });
    let mut world = World::new(spec);
    world.pass(&[]);
    world.advance(60);
    let first = private_of(&world, "signing");
    ask(&mut world);
    world.pass(&[]);
    let later = world.now + SignedDuration::from_hours(10);
    world.resource.annotations_mut().insert(ROTATE_AT_ANNOTATION.into(), format!("{later:.0}"));
    for _ in 0..9 {
        world.advance(HOUR);
        world.pass(&[]);
    }
    assert_eq!(private_of(&world, "signing"), first, "not yet");
    world.advance(HOUR + 60);
    world.pass(&[]);
    assert_ne!(private_of(&world, "signing"), first);
    assert_eq!(kids(&world).len(), 2);
}

/// A kid was written down and asked for by a process whose clock was ahead. The one after it has a right clock, so that the time in the
/// status looks later than its own start.
#[test]
fn a_planned_kid_is_not_used_again_after_the_clock_was_set_back() {
    let mut world = World::new(rotating(&["signing"]));
    world.pass(&[]);
    world.advance(7 * HOUR + 60);
    world.clock = SignedDuration::from_secs(50);
    // The record is stored; the key is made, and the process dies before it learns of it.
    assert_eq!(world.pass(&[Fault::None, Fault::CrashAfter]), End::Crashed);
    let lost = world.staged()[0].kid().expect("a kid").to_owned();
    world.outsider("deletes what is staged", |store| store.delete_set(super::world::STAGED));
    world.clock = SignedDuration::from_secs(-50);
    world.advance(LATE + 1);
    world.pass(&[]);
    let made = world.staged()[0].kid().expect("a kid").to_owned();
    assert_ne!(made, lost, "it would be another key under the same kid");
}

/// An outsider replaces what is staged while our own PUT of it is under way: what lands is known as ours.
#[test]
fn what_may_still_land_is_not_forgotten() {
    let mut world = World::new(generated(&["signing"]));
    world.pass(&[]);
    let kid = kids(&world).remove(0);
    world.outsider("takes the private half", |store| {
        let public = store.generator().generate("ES256").expect("a key").with("kid", kid.as_str()).public_half().expect("a public half");
        store.put_key(SET, public.as_jwk()).expect("stored");
    });
    // The record, the new key, and its private half, which lands later.
    world.pass(&[Fault::None, Fault::None, Fault::Late(1)]);
    let waiting = world.staged()[0].kid().expect("a kid").to_owned();
    world.outsider("replaces what is staged", |store| {
        let other = store.generator().generate("ES256").expect("a key").with("kid", waiting.as_str()).with("use", "sig");
        store.put_key(super::world::STAGED, &other).expect("stored");
    });
    world.pass(&[]);
    world.pass(&[]);
    world.advance(LATE + 1);
    world.pass(&[]);
    assert_eq!(private_of(&world, "signing"), [waiting]);
}

/// The set that `seen` shows has troubles of this reason.
#[test]
fn a_refusal_stands_in_the_way_of_ready() {
    let mut world = World::new(generated(&["signing"]));
    world.resource.spec.keys[0].generate.as_mut().expect("generated").alg = Algorithm::ES256;
    world.refuses_one_of = Some(1);
    world.pass(&[]);
    assert!(!world.is_ready());
    let desired = world.desired().expect("granted");
    let mut seen = lifecycle::Observed::new(Default::default());
    seen.finalizer = true;
    let removal = Step::DeleteKey { place: Place::Live, kid: "a".into(), cause: DeleteCause::Expired };
    seen.fold(&removal, Answer::Refused { message: "refused".into() }, world.now);
    let troubles = lifecycle::assess(&desired, &seen, world.now).troubles;
    assert!(troubles.iter().any(|trouble| trouble.severity == Severity::Stalled && trouble.message.starts_with("refused")), "{troubles:?}");
}
