//! An AdminApi that comes to lead to another server.

use jwk_operator::{
    api::{ACCEPT_SERVER_ANNOTATION, Algorithm, JsonWebKeySetSpec},
    hydra::emulator::{DerivedKeys, Store},
};
use kube::ResourceExt as _;

use super::{
    entries::{generated, private_target, set_entries, target, unannounced},
    events::Event,
    world::{End, Fault, LATE, SET, World, kids},
};

const OTHER: &str = "http://other:4445";

fn ready() -> World {
    let mut world = World::new(unannounced(&["signing"]));
    world.pass(&[]);
    assert!(world.is_ready());
    assert_eq!(world.status().server.as_deref(), Some("127.0.0.1:4445/admin"));
    world
}

/// The AdminApi leads to another server, which holds nothing.
fn moved() -> (World, Store) {
    let mut world = ready();
    world.url = OTHER.into();
    let left = std::mem::replace(&mut world.store, Store::new(DerivedKeys::default()));
    (world, left)
}

#[test]
fn an_empty_server_gets_no_keys_and_the_targets_keep_theirs() {
    let (mut world, left) = moved();
    let (targets, before) = (world.objects.clone(), world.status());
    for _ in 0..2 {
        assert_eq!(world.pass(&[]), End::Done(0));
        assert_eq!(world.reason(), "ServerChanged");
        world.pass_without_admin_api();
        assert_eq!((&world.objects, world.status().keys), (&targets, before.keys.clone()));
        assert!(world.live().is_empty());
    }
    world.pass(&[]);
    let told = world.status().conditions.into_iter().find(|condition| condition.type_ == "Stalled").expect("somebody has to act");
    assert!(told.message.contains("accept-server: other:4445/admin") && told.message.contains("127.0.0.1:4445/admin"), "{}", told.message);

    // The keys are brought there: only the record changes.
    world.store = left;
    assert_eq!(world.pass(&[]), End::Done(0));
    assert!(world.is_ready() && world.objects == targets);
    assert_eq!(world.status().server.as_deref(), Some("other:4445/admin"));
}

#[test]
fn keys_of_others_make_no_set_of_ours() {
    let (mut world, _) = moved();
    world.outsider("posts a key", |store| {
        store.create(SET, None, "ES256", "").expect("a key");
    });
    let before = kids(&world);
    world.pass(&[]);
    assert_eq!((world.reason().as_str(), kids(&world)), ("ServerChanged", before));
}

#[test]
fn a_server_that_is_accepted_begins_anew() {
    let (mut world, _) = moved();
    world.pass(&[]);
    world.resource.annotations_mut().insert(ACCEPT_SERVER_ANNOTATION.into(), "elsewhere:4445/admin".into());
    world.pass(&[]);
    assert_eq!(world.reason(), "ServerChanged", "another one was accepted");
    world.resource.annotations_mut().insert(ACCEPT_SERVER_ANNOTATION.into(), "other:4445/admin".into());
    world.pass(&[]);
    assert!(world.is_ready(), "{:?}", world.status().conditions);
    assert_eq!(world.status().server.as_deref(), Some("other:4445/admin"));
}

#[test]
fn another_name_of_the_same_server_changes_nothing() {
    let mut world = ready();
    world.url = OTHER.into();
    let targets = world.objects.clone();
    assert_eq!(world.pass(&[]), End::Done(0));
    assert!(world.is_ready() && world.objects == targets);
}

/// Where the set held nothing yet, there is nothing to lose.
#[test]
fn a_set_that_was_never_seen_begins_anywhere() {
    let mut world = World::new(generated(&[]));
    world.pass(&[]);
    world.url = OTHER.into();
    world.edit(|spec| spec.keys = generated(&["signing"]).keys);
    world.pass(&[]);
    assert!(world.is_ready());
}

#[test]
fn private_copies_and_symmetric_keys_stay_as_well() {
    let mut spec = unannounced(&["signing", "shared"]);
    spec.keys[1].generate.as_mut().expect("generate").alg = Algorithm::HS256;
    for keys in [spec.keys.clone(), vec![spec.keys[1].clone()]] {
        let mut world = World::new(JsonWebKeySetSpec { publish: Some(vec![target("payments-jwks"), private_target()]), ..spec.clone() });
        world.private_export = true;
        world.edit(|spec| set_entries(spec, keys));
        world.pass(&[]);
        assert!(world.is_ready());
        let (targets, keys) = (world.objects.clone(), world.status().keys);
        world.url = OTHER.into();
        world.store = Store::new(DerivedKeys::default());
        for _ in 0..3 {
            world.pass(&[]);
            assert_eq!(world.reason(), "ServerChanged");
            assert_eq!((&world.objects, world.status().keys), (&targets, keys.clone()));
        }
    }
}

/// The target shows somebody else's key, which left the set, and of which the status has no public half any more.
#[test]
fn what_is_revoked_leaves_the_targets_while_the_server_is_another() {
    let mut world = World::new(unannounced(&["signing"]));
    world.happen(&Event::PutForeignPublic);
    world.pass(&[]);
    let revoked = world.status().signer.expect("a signer");
    world.edit(|spec| spec.revoke.push(revoked.clone()));
    // The set is deleted meanwhile, and the next key has no answer.
    world.pass(&[Fault::Disturbed(1), Fault::LostReply]);
    world.advance(LATE + 1);
    world.url = OTHER.into();
    world.store = Store::new(DerivedKeys::default());
    world.pass(&[]);
    let published: Vec<_> = world.objects.values().flat_map(|held| held.content.published().into_keys()).collect();
    assert_eq!((world.reason().as_str(), published), ("ServerChanged", vec!["theirs".into()]));
}
