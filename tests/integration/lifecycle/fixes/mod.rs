//! One short history for each rule that a longer one taught: what went wrong once, or would, without the rule.

mod announcing;
mod imports;
mod intruders;
mod invalid;
mod kids;
mod leaving;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use jwk_operator::{
    api::{self, JsonWebKeySetSpec, KeyState, Rotation},
    jwk::Jwk,
};

use super::{
    entries::{generated, hours, set_entries, with_rotation},
    world::World,
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
