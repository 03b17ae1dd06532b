//! Keys that somebody else put under an own kid.

use jwk_operator::api::JsonWebKeySetSpec;

use super::{FIRST, HOUR, add_entry, announced, material, new_key, private, run, signer};
use crate::lifecycle::{
    entries::{entry, generated, unannounced},
    world::{SET, World},
};

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
