//! Single histories that are worth their own name.

use jwk_operator::{
    api::{self, Algorithm, JsonWebKeySetSpec, KeySource},
    lifecycle::{self, Step},
};

use super::world::{End, Fault, LATE, SET, World};

fn generated(names: &[&str]) -> JsonWebKeySetSpec {
    let keys = names.iter().map(|name| KeySource {
        name: (*name).into(),
        generate: Some(api::Generate { alg: Algorithm::ES256, key_use: None }),
        public: None,
    });
    JsonWebKeySetSpec { keys: keys.collect(), signer: (names.len() > 1).then(|| names[0].to_owned()), ..JsonWebKeySetSpec::default() }
}

fn kids(world: &World) -> Vec<String> {
    world.live().iter().filter_map(|key| key.kid().map(str::to_owned)).collect()
}

#[test]
fn a_fresh_key_is_named_after_the_creation_of_its_resource() {
    let mut world = World::new(generated(&["signing"]));
    // Finalizer, POST, ConfigMap: and no status before the end.
    assert_eq!(world.pass(&[]), End::Done(3));
    assert_eq!(kids(&world), ["shop.payments.signing.20261123T120000Z"]);
    assert!(world.is_ready());
    assert_eq!(world.pass(&[]), End::Done(0));
}

#[test]
fn the_signer_of_several_stands_in_front_without_a_repair() {
    let mut world = World::new(generated(&["b", "a", "c"]));
    world.pass(&[]);
    assert_eq!(kids(&world)[0], "shop.payments.b.20261123T120000Z");
    assert!(!world.history().contains("cause: Signer"), "{}", world.history());
}

#[test]
fn a_post_whose_answer_was_lost_is_not_repeated() {
    let mut world = World::new(generated(&["signing"]));
    assert_eq!(world.pass(&[Fault::LostReply]), End::Stopped);
    world.advance(LATE + 1);
    world.pass(&[]);
    assert_eq!(kids(&world), ["shop.payments.signing.20261123T120000Z"]);
    assert!(world.is_ready());
}

#[test]
fn a_kid_that_was_lost_before_it_was_seen_is_not_used_again() {
    for fault in [Fault::CrashAfter, Fault::LostReply] {
        let mut world = World::new(generated(&["signing"]));
        world.pass(&[fault]);
        let lost = kids(&world);
        assert_eq!(lost.len(), 1);
        world.outsider("deletes the set", |store| store.delete_set(SET));
        world.advance(LATE + 1);
        world.pass(&[]);
        assert_eq!(kids(&world).len(), 1);
        assert_ne!(kids(&world), lost, "{fault:?}");
        assert!(world.is_ready());
    }
}

#[test]
fn a_lost_set_gets_new_kids_and_keeps_its_old_public_halves() {
    let mut world = World::new(generated(&["a", "b"]));
    world.pass(&[]);
    let lost = kids(&world);
    world.outsider("deletes the set", |store| store.delete_set(SET));
    world.advance(60);
    world.pass(&[]);
    let live = world.live();
    let private: Vec<_> = live.iter().filter(|key| key.is_private()).filter_map(|key| key.kid()).collect();
    assert_eq!(private.len(), 2, "{}", world.history());
    assert!(private.iter().all(|kid| !lost.contains(&(*kid).to_owned())));
    assert!(lost.iter().all(|kid| live.iter().any(|key| key.kid() == Some(kid) && !key.is_private())));
    assert!(world.is_ready());
}

#[test]
fn nothing_is_written_while_a_late_answer_may_come() {
    let mut world = World::new(generated(&["a", "b"]));
    world.pass(&[Fault::Late(100)]);
    assert_eq!(world.pass(&[]), End::Done(0));
    assert_eq!(world.reason(), "WaitingForLateAnswer");
    world.advance(LATE + 1);
    world.pass(&[]);
    assert_eq!(kids(&world).len(), 2, "{}", world.history());
    assert!(world.is_ready());
}

#[test]
fn a_foreign_object_in_the_place_of_a_target_is_told() {
    let mut world = World::new(generated(&["signing"]));
    world.foreign_objects.push(lifecycle::TargetId {
        kind: jwk_operator::api::TargetKind::ConfigMap,
        namespace: "shop".into(),
        name: "payments-jwks".into(),
    });
    world.pass(&[]);
    assert!(!world.is_ready());
    assert_eq!(world.reason(), "TargetNotOwned");
    assert_eq!(kids(&world).len(), 1, "the remote set is made all the same");
}

#[test]
fn an_observer_writes_nothing_remote() {
    let mut world = World::new(JsonWebKeySetSpec { mode: Some(jwk_operator::api::Mode::Observe), ..generated(&["signing"]) });
    world.outsider("posts a key", |store| {
        store.create(SET, Some("theirs"), "ES256", "").expect("a key");
    });
    let before = world.live();
    world.pass(&[]);
    assert_eq!(world.live(), before);
    assert_eq!(world.reason(), "DriftObserved");
    assert!(!world.finalizer);
    assert_eq!(world.objects.values().flat_map(|held| held.content.published().into_keys()).collect::<Vec<_>>(), ["theirs"]);
}

#[test]
fn a_step_of_deletion_deletes_a_created_set_as_a_whole_and_a_found_one_by_keys() {
    for found in [false, true] {
        let mut world =
            World::new(JsonWebKeySetSpec { deletion_policy: Some(jwk_operator::api::DeletionPolicy::Delete), ..generated(&["signing"]) });
        if found {
            world.outsider("posts a key", |store| {
                store.create(SET, Some("theirs"), "ES256", "").expect("a key");
            });
        }
        world.pass(&[]);
        world.delete_resource();
        world.pass(&[]);
        assert!(world.gone);
        assert_eq!(kids(&world), if found { vec!["theirs"] } else { vec![] });
    }
}

#[test]
fn steps_that_write_are_told_apart() {
    assert!(Step::DeleteSet.writes_remote());
    assert!(!Step::ReadLive.writes_remote());
}

#[test]
fn a_key_that_somebody_wrote_into_a_target_does_not_reach_the_set() {
    let mut world = World::new(generated(&["signing"]));
    world.pass(&[]);
    let before = kids(&world);
    let foreign = world.store.generator().generate("ES256").expect("a key").with("kid", "shop.payments.evil.20260101T000000Z");
    let public = serde_json::to_value(foreign.public_half().expect("a public half")).expect("JSON");
    for held in world.objects.values_mut() {
        let document = held.content.data.get_mut("jwks.json").expect("a document");
        let mut set: serde_json::Value = serde_json::from_str(document).expect("JSON");
        set["keys"].as_array_mut().expect("keys").push(public.clone());
        *document = set.to_string();
    }
    world.pass(&[]);
    assert_eq!(kids(&world), before);
    assert!(world.objects.values().all(|held| held.content.published().len() == 1), "it is gone from the target");
    assert!(!world.status().slots.contains_key("evil"));
}

#[test]
fn a_target_that_fails_keeps_a_key_in_the_set_until_it_lets_go() {
    let mut world = World::new(generated(&["signing"]));
    world.pass(&[]);
    let lost = kids(&world)[0].clone();
    world.outsider("deletes the key", |store| store.delete_key(SET, &lost));
    world.pass(&[]);
    world.advance(49 * 3600);
    // The write that takes the key out of the target fails: it must not leave the set before.
    world.pass(&[Fault::Refused]);
    assert!(kids(&world).contains(&lost), "{}", world.history());
    assert_eq!(world.reason(), "TargetFailed");
    world.pass(&[]);
    assert!(!kids(&world).contains(&lost));
    assert!(world.is_ready());
}
