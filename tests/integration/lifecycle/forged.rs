//! What whoever may change a target can bring about by it: nothing. A kid is in the status before its key exists, so anybody who may read that
//! knows which name the next key will have.

use std::collections::BTreeMap;

use jwk_operator::{
    api::{KeyState, Rotation},
    jwk::Jwk,
    lifecycle::Document,
};

use super::{
    entries::{generated, hours, target, target_id, with_rotation},
    world::{Fault, SET, World},
};

const HOUR: i64 = 3600;

/// A world in which the next key is planned and was not made, and its kid.
fn planned() -> (World, String) {
    let rotation = Rotation { interval: Some(hours(24)), prepublish: Some(hours(4)), retain: Some(hours(12)) };
    let mut spec = with_rotation(generated(&["signing"]), rotation);
    spec.publish = Some(vec![target("payments-jwks")]);
    let mut world = World::new(spec);
    world.pass(&[]);
    assert!(world.is_ready());
    world.advance(21 * HOUR);
    world.pass(&[Fault::None, Fault::Refused]);
    let planned = world.status().keys.into_iter().find(|key| key.state == KeyState::Planned).expect("a planned key");
    assert!(planned.thumbprint.is_none());
    (world, planned.kid)
}

/// A key of somebody else under this kid.
fn forge(world: &mut World, kid: &str) -> Jwk {
    let key = world.store.generator().generate("ES256").expect("a key");
    let public = key.with("kid", kid).with("use", "sig").with("alg", "ES256").public_half().expect("a public half").as_jwk().clone();
    world.oracle.note_outsider(&[], std::slice::from_ref(&public));
    public
}

/// Puts it into the target, beside what is there.
fn put_into_target(world: &mut World, forged: &Jwk) {
    let held = world.objects.get_mut(&target_id("payments-jwks")).expect("a target");
    let mut keys: Vec<Jwk> = held.content.published().into_values().map(|key| key.as_jwk().clone()).collect();
    keys.push(forged.clone());
    held.content.data = BTreeMap::from([("jwks.json".into(), Document::read(&serde_json::json!({ "keys": keys }).to_string()))]);
    held.resource_version.push('0');
}

fn is_published(world: &World, key: &Jwk) -> bool {
    let published = world.objects[&target_id("payments-jwks")].content.published();
    published.values().any(|found| found.thumbprint().ok() == key.public_thumbprint())
}

fn is_live(world: &World, key: &Jwk) -> bool {
    world.live().iter().any(|live| live.public_thumbprint() == key.public_thumbprint())
}

#[test]
fn a_key_under_a_planned_kid_leaves_the_target_while_the_admin_api_is_down() {
    let (mut world, kid) = planned();
    let forged = forge(&mut world, &kid);
    put_into_target(&mut world, &forged);
    assert!(is_published(&world, &forged));
    world.pass_without_admin_api();
    assert!(!is_published(&world, &forged), "verifiers would take a forged token");
}

#[test]
fn a_key_under_a_planned_kid_never_gets_into_the_set() {
    // The request for the key fails again, fails with its answer lost, or succeeds.
    for faults in [&[Fault::Refused][..], &[Fault::LostReply], &[]] {
        let (mut world, kid) = planned();
        let forged = forge(&mut world, &kid);
        put_into_target(&mut world, &forged);
        for _ in 0..4 {
            world.pass(faults);
            assert!(!is_live(&world, &forged), "{faults:?}: it was put into set {SET}");
            world.advance(200);
        }
        world.pass(&[]);
        assert!(!is_live(&world, &forged) && !is_published(&world, &forged), "{faults:?}");
    }
}

#[test]
fn a_key_under_the_kid_of_a_recorded_one_is_put_right() {
    let (mut world, _) = planned();
    let kid = world.live()[0].kid().expect("a kid").to_owned();
    let forged = forge(&mut world, &kid);
    for is_down in [true, false] {
        let held = world.objects.get_mut(&target_id("payments-jwks")).expect("a target");
        held.content.data.clear();
        put_into_target(&mut world, &forged);
        if is_down {
            world.pass_without_admin_api();
        } else {
            world.pass(&[]);
        }
        assert!(!is_published(&world, &forged) && !is_live(&world, &forged));
    }
}

#[test]
fn the_status_has_a_key_before_a_target_shows_it() {
    let (mut world, kid) = planned();
    // The key is made and published; the process dies at each step on the way, so that its last status is what is known of it.
    for steps in 0..8 {
        let mut faults = vec![Fault::None; steps];
        faults.push(Fault::CrashAfter);
        world.advance(200);
        world.pass(&faults);
        let published = world.objects[&target_id("payments-jwks")].content.published();
        let recorded = world.status().keys.into_iter().find(|key| key.kid == kid);
        let is_known = |key: &jwk_operator::jwk::PublicJwk| recorded.clone().and_then(|key| key.thumbprint) == key.thumbprint().ok();
        assert!(published.get(kid.as_str()).is_none_or(is_known), "after {steps} steps");
    }
    assert!(world.objects[&target_id("payments-jwks")].content.published().contains_key(kid.as_str()));
}
