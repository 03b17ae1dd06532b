//! Single histories that are worth their own name.

use jwk_operator::{
    api::{self, Algorithm, JsonWebKeySetSpec},
    lifecycle::{self, Document, Step},
};

use super::{
    entries::{generated, unannounced},
    world::{End, Fault, LATE, SET, World, kids},
};

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
    let mut world = World::new(unannounced(&["b", "a", "c"]));
    world.pass(&[]);
    assert_eq!(kids(&world)[0], "shop.payments.b.20261123T120000Z");
    assert!(!world.history().contains("cause: Signer"));
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
    let mut world = World::new(unannounced(&["a", "b"]));
    world.pass(&[]);
    let lost = kids(&world);
    world.outsider("deletes the set", |store| store.delete_set(SET));
    world.advance(60);
    world.pass(&[]);
    let live = world.live();
    let private: Vec<_> = live.iter().filter(|key| key.is_private()).filter_map(|key| key.kid()).collect();
    assert_eq!(private.len(), 2);
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
    assert_eq!(kids(&world).len(), 2);
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
        let mut set: serde_json::Value = serde_json::from_str(document.text()).expect("JSON");
        set["keys"].as_array_mut().expect("keys").push(public.clone());
        *document = Document::read(&set.to_string());
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
    assert!(kids(&world).contains(&lost));
    assert_eq!(world.reason(), "TargetFailed");
    world.pass(&[]);
    assert!(!kids(&world).contains(&lost));
    assert!(world.is_ready());
}

#[test]
fn a_server_that_keeps_private_keys_is_found_out_and_nothing_is_destroyed() {
    // With a set that is there: the first key is tried where nobody looks.
    let mut world = World::new(generated(&["signing"]));
    world.outsider("has two keys in an HSM", |store| {
        for kid in ["theirs-1", "theirs-2"] {
            let key = store.generator().generate("ES256").expect("a key").with("kid", kid).with("use", "sig");
            store.put_key(SET, key.public_half().expect("a public half").as_jwk()).expect("stored");
        }
    });
    world.keeps_private_keys = true;
    for _ in 0..3 {
        world.pass(&[]);
        world.advance(LATE + 1);
        assert_eq!(kids(&world), ["theirs-2", "theirs-1"]);
        assert_eq!(world.reason(), "OpaqueKeys");
    }

    // Without one: the first key is made, and no second one replaces it.
    let mut world = World::new(generated(&["signing"]));
    world.keeps_private_keys = true;
    for _ in 0..3 {
        world.pass(&[]);
        world.advance(LATE + 1);
        assert_eq!(kids(&world), ["shop.payments.signing.20261123T120000Z"]);
        assert_eq!(world.reason(), "OpaqueKeys");
    }
    // Its owner gives up the HSM, and the set with it.
    world.keeps_private_keys = false;
    world.outsider("deletes the set", |store| store.delete_set(SET));
    world.pass(&[]);
    assert!(world.is_ready());
}

#[test]
fn the_order_is_looked_at_after_an_activation_and_repaired() {
    let mut spec = generated(&["signing"]);
    spec.keys[0].rotation = super::entries::rotation(1);
    let mut world = World::new(spec);
    world.pass(&[]);
    world.advance(7 * 3600);
    world.pass(&[]);
    world.advance(3600 + 1);
    world.misorders_next = true;
    world.pass(&[]);
    assert!(!world.misorders_next && world.history().contains("cause: Signer"));
    let live = world.live();
    let private: Vec<_> = live.iter().filter(|key| key.is_private()).filter_map(|key| key.kid()).collect();
    assert_eq!(private, ["shop.payments.signing.20261123T200000Z"]);
    assert_eq!(world.status().signer.as_deref(), Some(private[0]));
}

#[test]
fn foreign_keys_leave_after_an_own_key_signs_and_a_word_was_said() {
    let mut spec = generated(&["signing"]);
    spec.unmanaged_keys = Some(jwk_operator::api::UnmanagedKeys::Delete);
    let mut world = World::new(spec);
    world.outsider("posts a key", |store| {
        store.create(SET, Some("theirs"), "ES256", "").expect("a key");
    });
    world.pass(&[]);
    assert_eq!(world.status().signer.as_deref(), Some("theirs"), "the own key is only announced");
    assert!(!world.history().contains("TellUnmanagedLeave"));
    world.advance(24 * 3600 + 1);
    world.pass(&[]);
    let history = world.history();
    let (told, retired) = (history.find("TellUnmanagedLeave").expect("told"), history.find("cause: Retired").expect("retired"));
    assert!(told < retired, "{history}");
    assert_eq!(world.live().iter().filter(|key| key.is_private()).count(), 1);
    world.advance(48 * 3600 + 1);
    world.pass(&[]);
    assert_eq!(kids(&world), ["shop.payments.signing.20261123T120000Z"]);
}

#[test]
fn what_hydra_is_known_to_get_wrong_is_told_once_and_does_no_harm_to_ready() {
    let message = |world: &World| {
        let conditions = world.status().conditions;
        conditions.into_iter().find(|condition| condition.type_ == "KnownLimitation").map(|condition| condition.message)
    };
    let mut spec = generated(&["shared"]);
    spec.keys[0].generate = Some(api::Generate { alg: Algorithm::HS256, key_use: None });
    let mut world = World::new(spec);
    world.pass(&[]);
    assert!(world.is_ready());
    assert!(message(&world).expect("told").contains("/.well-known/jwks.json"));
    assert_eq!(world.pass(&[]), End::Done(0));

    let rotated = |seconds| api::Rotation {
        interval: Some(super::entries::hours(24)),
        prepublish: Some(std::time::Duration::from_secs(seconds).into()),
        ..api::Rotation::default()
    };
    let mut world = World::new(generated(&["signing"]));
    world.pass(&[]);
    assert_eq!(message(&world), None);
    for (seconds, told) in [
        (1500, "need to read a new key: OpenFGA (48h);"),
        (1499, "OpenFGA (48h), Istio (25m);"),
        (700, "Istio (25m), Envoy (12m);"),
        (0, "mounted ConfigMap"),
    ] {
        world.edit(|spec| spec.keys[0].rotation = Some(rotated(seconds)));
        world.pass(&[]);
        let found = message(&world).expect("told");
        assert!(found.contains(told) && found.contains("Grafana"), "{seconds}: {found}");
    }
    // Two days are enough for all of them; where nothing is published nobody reads a file.
    let slow = api::Rotation {
        interval: Some(super::entries::hours(720)),
        prepublish: Some(super::entries::hours(48)),
        ..api::Rotation::default()
    };
    world.edit(|spec| spec.keys[0].rotation = Some(slow));
    world.pass(&[]);
    let found = message(&world).expect("told");
    assert!(!found.contains("OpenFGA") && found.contains("Grafana"), "{found}");
    world.edit(|spec| spec.publish = Some(Vec::new()));
    world.pass(&[]);
    assert_eq!(message(&world), None);
}

#[test]
fn an_import_waits_for_its_secret_and_then_goes_through_announcing() {
    let mut spec = generated(&["signing"]);
    spec.keys.push(super::entries::entry(4, 0));
    spec.signer = Some("signing".into());
    let mut world = World::new(spec);
    world.pass(&[]);
    assert_eq!(world.reason(), "SourceMissing");
    assert_eq!(kids(&world).len(), 1, "no key is invented");
    let key = world.store.generator().generate("ES256").expect("a key");
    world.store_secret("unnamed", &key);
    world.secrets.get_mut("unnamed").expect("a Secret").1 = false;
    world.pass(&[]);
    assert_eq!((world.reason().as_str(), kids(&world).len()), ("SourceNotLabelled", 1));
    world.store_secret("unnamed", &key);
    world.pass(&[]);
    let imported = format!("shop.payments.unnamed.{}", &key.thumbprint().expect("a thumbprint").to_string()[..16]);
    assert_eq!(kids(&world)[0], imported);
    assert!(!world.live()[0].is_private() && world.is_ready());
    world.advance(24 * 3600 + 1);
    world.pass(&[]);
    assert_eq!(world.live().iter().filter(|key| key.is_private()).count(), 2);
    assert_eq!(world.status().signer.as_deref(), Some("shop.payments.signing.20261123T120000Z"));

    // The Secret changes: the new key is announced beside the old one, and takes its place a day later.
    let next = world.store.generator().generate("ES256").expect("a key");
    world.store_secret("unnamed", &next);
    world.pass(&[]);
    let is_private = |world: &World, key: &jwk_operator::jwk::Jwk| {
        world.live().iter().find(|live| live.thumbprint() == key.thumbprint()).map(jwk_operator::jwk::Jwk::is_private)
    };
    assert_eq!((is_private(&world, &key), is_private(&world, &next)), (Some(true), Some(false)));
    world.advance(24 * 3600 + 1);
    world.pass(&[]);
    assert_eq!((is_private(&world, &key), is_private(&world, &next)), (Some(false), Some(true)));
    world.advance(48 * 3600 + 1);
    world.pass(&[]);
    assert_eq!(is_private(&world, &key), None);
}

#[test]
fn a_new_key_under_a_written_kid_is_refused_and_changes_nothing() {
    let mut spec = generated(&[]);
    spec.keys.push(super::entries::entry(5, 0));
    let mut world = World::new(spec);
    let key = world.store.generator().generate("ES256").expect("a key");
    world.store_secret("legacy", &key);
    world.pass(&[]);
    assert!(world.is_ready());
    let before = world.live();
    assert_eq!(before[0].kid(), Some("legacy-1"));
    let next = world.store.generator().generate("ES256").expect("a key");
    world.store_secret("legacy", &next);
    assert_eq!(world.pass(&[]), End::Done(0));
    assert_eq!((world.reason().as_str(), world.live()), ("KidTaken", before));
}

#[test]
fn a_key_that_an_entry_explains_by_kid_and_material_is_taken_over_without_a_write() {
    let mut spec = generated(&[]);
    spec.keys.push(super::entries::entry(5, 0));
    let mut world = World::new(spec);
    let key = world.store.generator().generate("ES256").expect("a key").with("kid", "legacy-1").with("use", "sig");
    world.outsider("puts the very key", |store| {
        store.put_key(SET, &key).expect("stored");
    });
    world.store_secret("legacy", &key);
    world.pass(&[]);
    assert!(world.is_ready());
    assert!(!world.history().contains("ImportKey"));
    assert_eq!(world.status().keys[0].state, jwk_operator::api::KeyState::Active);
    assert_eq!(world.status().on_delete, Some(jwk_operator::api::DeletionPolicy::Retain), "it was found");
}
