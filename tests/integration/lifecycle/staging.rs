//! What may happen to a key while it waits.

use jwk_operator::{
    api::{Algorithm, Generate, JsonWebKeySetSpec, KeySource, KeyState, ROTATE_AT_ANNOTATION},
    jwk::Jwk,
};
use kube::ResourceExt as _;

use super::{
    entries::rotation,
    world::{End, Fault, SET, STAGED, World},
};

const HOUR: i64 = 3600;

/// One key: every 8 hours another one, announced for an hour, kept for two.
fn rotated() -> World {
    let generate = Some(Generate { alg: Algorithm::ES256, key_use: None });
    let entry = KeySource { name: "signing".into(), generate, rotation: rotation(1), ..KeySource::default() };
    World::new(JsonWebKeySetSpec { keys: vec![entry], ..JsonWebKeySetSpec::default() })
}

/// The same when its successor is announced, half an hour before it signs.
fn announced() -> World {
    let mut world = rotated();
    world.pass(&[]);
    world.advance(7 * HOUR + 1);
    world.pass(&[]);
    assert_eq!(world.staged().len(), 1);
    world.advance(HOUR / 2);
    world
}

fn private_kids(world: &World) -> Vec<String> {
    world.live().iter().filter(|key| key.is_private()).filter_map(|key| key.kid().map(str::to_owned)).collect()
}

fn state_of(world: &World, kid: &str) -> Option<KeyState> {
    world.status().keys.iter().find(|key| key.kid == kid).map(|key| key.state)
}

const FIRST: &str = "shop.payments.signing.20261123T120000Z";
const SECOND: &str = "shop.payments.signing.20261123T200000Z";

#[test]
fn a_staged_key_that_somebody_replaced_never_signs_under_the_announced_kid() {
    let mut world = announced();
    let theirs = world.store.generator().generate("ES256").expect("a key").with("kid", SECOND).with("use", "sig");
    world.outsider("replaces the staged key", |store| {
        store.put_key(STAGED, &theirs).expect("stored");
    });
    for _ in 0..12 {
        world.restart();
        world.advance(HOUR);
        world.pass(&[]);
        assert!(world.live().iter().all(|key| key.thumbprint() != theirs.thumbprint()), "{}", world.history());
    }
    assert!(world.is_ready(), "{}", world.history());
    assert!(!private_kids(&world).contains(&SECOND.to_owned()), "the kid is dead, and another slot was taken");
}

#[test]
fn a_staged_key_that_was_lost_gives_way_to_the_next_slot_and_its_public_half_retires() {
    let mut world = announced();
    world.outsider("deletes what is staged", |store| store.delete_set(STAGED));
    world.restart();
    world.advance(121);
    world.pass(&[]);
    assert_eq!(state_of(&world, SECOND), Some(KeyState::Retired), "{}", world.history());
    let next = "shop.payments.signing.20261123T200001Z";
    assert_eq!(state_of(&world, next), Some(KeyState::Announced), "{}", world.history());
    world.advance(HOUR);
    world.pass(&[]);
    assert_eq!(private_kids(&world), [next]);
}

#[test]
fn an_announcement_that_a_target_lost_begins_anew_even_after_a_crash() {
    for crash in [false, true] {
        let mut world = announced();
        // The target loses the key, and the operator dies at once, or before it has repaired the loss.
        for held in world.objects.values_mut() {
            held.content.data.insert("jwks.json".into(), "{\"keys\":[]}".into());
        }
        world.pass(if crash { &[Fault::None, Fault::CrashBefore] } else { &[] });
        world.advance(HOUR / 2 + 60);
        world.pass(&[]);
        assert_eq!(private_kids(&world), [FIRST], "crash {crash}: half an hour without it does not count\n{}", world.history());
        world.advance(HOUR + 200);
        world.pass(&[]);
        world.advance(HOUR);
        world.pass(&[]);
        assert_eq!(private_kids(&world), [SECOND], "crash {crash}: {}", world.history());
    }
}

#[test]
fn a_rotation_that_nobody_asks_for_any_more_waits_and_goes_on_when_somebody_does() {
    let mut world = announced();
    world.edit(|spec| spec.keys[0].rotation = rotation(6));
    world.advance(10 * HOUR);
    assert_eq!(world.pass(&[]), End::Done(0));
    assert_eq!(private_kids(&world), [FIRST], "{}", world.history());
    assert_eq!(world.staged().len(), 1, "it is kept");
    let asked = format!("{:.0}", world.now);
    world.resource.annotations_mut().insert(ROTATE_AT_ANNOTATION.into(), asked);
    world.pass(&[]);
    world.advance(4 * HOUR + 1);
    world.pass(&[]);
    assert_eq!(private_kids(&world).len(), 1);
    assert_ne!(private_kids(&world), [FIRST], "{}", world.history());
}

#[test]
fn announced_keys_are_promoted_and_not_made_again_when_announcing_is_given_up() {
    let mut world = announced();
    world.edit(|spec| spec.keys[0].rotation = rotation(5));
    let waiting = world.staged()[0].clone();
    world.advance(16 * HOUR);
    world.pass(&[]);
    let signer = world.live().into_iter().find(Jwk::is_private).expect("a signer");
    assert_eq!(signer.thumbprint(), waiting.thumbprint(), "{}", world.history());
    assert!(world.staged().is_empty());
}

#[test]
fn a_slot_in_the_future_counts_from_when_its_key_was_seen_to_sign() {
    let mut world = rotated();
    // Its first key is made while the clock is years ahead, and is lost; the next slot lies in the future as well.
    world.pass(&[]);
    world.clock = jiff::SignedDuration::from_hours(24 * 400);
    world.outsider("deletes the set", |store| store.delete_set(SET));
    world.pass(&[]);
    world.clock = jiff::SignedDuration::ZERO;
    world.pass(&[]);
    let future = private_kids(&world);
    assert!(future[0].contains(".2027") || future[0].contains(".2028"), "{future:?}");
    for _ in 0..10 {
        world.advance(HOUR);
        world.pass(&[]);
    }
    assert_ne!(private_kids(&world), future, "it is rotated after eight hours, and not in a year\n{}", world.history());
}
