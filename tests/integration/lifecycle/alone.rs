//! What passes without the admin API bring about, and what they leave alone.

use jwk_operator::{
    api::{Algorithm, Import, ImportSecretRef, JsonWebKeySetSpec, KeySource, KeyState, Mode, PrivateLayout, PublishTarget, Rotation},
    jwk::{JwkSet, symmetric},
    lifecycle::{Document, Granting, Step, Wanted},
};

use super::{
    entries::{generated, hours, private_target, private_target_id, target, target_id, unannounced, with_rotation},
    world::{End, Fault, SET, World},
};

/// A set that is ready and published in these targets.
fn ready(spec: JsonWebKeySetSpec, publish: Vec<PublishTarget>) -> World {
    let mut world = World::new(JsonWebKeySetSpec { publish: Some(publish), ..spec });
    world.private_export = true;
    world.pass(&[]);
    assert!(world.is_ready());
    world
}

fn published(world: &World, name: &str) -> Vec<String> {
    world
        .objects
        .get(&target_id(name))
        .map(|held| held.content.published().into_keys().map(|kid| kid.to_string()).collect())
        .unwrap_or_default()
}

fn condition(world: &World, kind: &str) -> Option<(String, String)> {
    let found = world.status().conditions.into_iter().find(|condition| condition.type_ == kind)?;
    Some((found.status, found.reason))
}

/// A spec that is refused: an entry without a key.
fn refuse(world: &mut World) {
    world.edit(|spec| spec.keys.push(KeySource { name: "nothing".into(), ..KeySource::default() }));
    assert!(world.desired().is_err());
}

#[test]
fn lost_and_edited_targets_come_back() {
    for is_refused in [false, true] {
        let mut world = ready(generated(&["signing", "other"]), vec![target("payments-jwks"), target("second")]);
        let before: Vec<_> = world.objects.values().map(|held| held.content.clone()).collect();
        assert_eq!(published(&world, "second").len(), 2);
        if is_refused {
            refuse(&mut world);
        }
        world.objects.remove(&target_id("second"));
        let held = world.objects.get_mut(&target_id("payments-jwks")).expect("a target");
        held.content.data.insert("jwks.json".into(), Document::read(r#"{"keys":[]}"#));
        held.content.data.insert("theirs".into(), Document::read("x"));
        world.pass_without_admin_api();
        assert_eq!(world.objects.values().map(|held| held.content.clone()).collect::<Vec<_>>(), before);
        assert_eq!(condition(&world, "Published").expect("Published").0, "True");
    }
}

#[test]
fn a_key_that_somebody_puts_into_a_target_leaves_it() {
    let mut world = ready(generated(&["signing"]), vec![target("payments-jwks")]);
    let theirs = world.store.generator().generate("ES256").expect("a key").with("kid", "theirs").public_half().expect("a public half");
    let set = serde_json::json!({ "keys": [theirs] }).to_string();
    let before = published(&world, "payments-jwks");
    world.objects.get_mut(&target_id("payments-jwks")).expect("a target").content.data.insert("jwks.json".into(), Document::read(&set));
    world.pass_without_admin_api();
    assert_eq!(published(&world, "payments-jwks"), before);
}

#[test]
fn a_revoked_key_leaves_at_once_even_the_only_one() {
    for is_refused in [false, true] {
        let mut world = ready(generated(&["signing"]), vec![target("payments-jwks")]);
        let revoked = published(&world, "payments-jwks");
        world.edit(|spec| spec.revoke = revoked.clone());
        if is_refused {
            refuse(&mut world);
        }
        world.pass_without_admin_api();
        assert!(world.objects.contains_key(&target_id("payments-jwks")) && published(&world, "payments-jwks").is_empty());
        world.edit(|spec| spec.keys.truncate(1));
        world.pass(&[]);
        assert!(world.is_ready() && published(&world, "payments-jwks").len() == 1);
    }
}

#[test]
fn a_lost_status_takes_nothing_out_of_a_target_but_what_is_revoked() {
    let mut world = ready(generated(&["signing", "other"]), vec![target("payments-jwks")]);
    let before = published(&world, "payments-jwks");
    world.resource.status = None;
    world.pass_without_admin_api();
    assert_eq!(published(&world, "payments-jwks"), before);
    world.edit(|spec| spec.revoke = vec![before[0].clone()]);
    world.pass_without_admin_api();
    assert_eq!(published(&world, "payments-jwks"), before[1..]);
}

#[test]
fn private_keys_go_with_their_grant() {
    let spec = || generated(&["signing"]);
    let exported = |world: &World| world.objects.contains_key(&private_target_id());
    for is_refused in [false, true] {
        let mut world = ready(spec(), vec![target("payments-jwks"), private_target()]);
        assert!(exported(&world));
        if is_refused {
            refuse(&mut world);
        }
        world.pass_without_admin_api();
        assert!(exported(&world), "it is still granted");
        world.private_export = false;
        world.pass_without_admin_api();
        assert!(!exported(&world));
    }
    for (granting, stays) in [(Granting::Nothing, false), (Granting::Unreadable, true)] {
        let mut world = ready(spec(), vec![target("payments-jwks"), private_target()]);
        let wanted = Wanted::without_spec(&world.resource, granting, None);
        world.publish_by_record(&wanted);
        assert_eq!(exported(&world), stays, "{granting:?}");
        assert_eq!(published(&world, "payments-jwks").len(), 1, "what is public stays");
    }
}

/// Somebody broke the document: nothing is known of it, so it goes as well.
#[test]
fn what_may_be_a_private_key_goes_with_the_grant() {
    let mut world = ready(generated(&["signing"]), vec![private_target()]);
    world.objects.get_mut(&private_target_id()).expect("a Secret").content.data.insert("jwks.json".into(), Document::read_secret(b"{"));
    world.private_export = false;
    world.pass_without_admin_api();
    assert!(world.objects.is_empty());
}

#[test]
fn an_observer_keeps_the_private_copy_that_is_granted() {
    let mut world = ready(generated(&["signing"]), vec![target("payments-jwks"), private_target()]);
    world.edit(|spec| spec.mode = Some(Mode::Observe));
    let before = world.objects.clone();
    world.pass(&[]);
    world.pass_without_admin_api();
    assert_eq!(world.objects, before);
}

#[test]
fn a_revoked_private_key_leaves_a_secret_and_the_others_stay() {
    let mut target = private_target();
    target.secret.as_mut().expect("a Secret").layout = Some(PrivateLayout::Jwks);
    let mut world = ready(unannounced(&["signing", "other"]), vec![target]);
    let kids = |world: &World| {
        let text = &world.texts[&private_target_id()]["jwks.json"];
        let set: JwkSet = serde_json::from_str(text).expect("a set");
        set.keys.iter().map(|key| (key.kid().expect("a kid").to_owned(), key.is_private())).collect::<Vec<_>>()
    };
    let before = kids(&world);
    assert!(before.len() == 2 && before.iter().all(|(_, private)| *private), "{before:?}");
    world.edit(|spec| spec.revoke = vec![before[1].0.clone()]);
    world.pass_without_admin_api();
    assert_eq!(kids(&world), before[..1]);
    world.pass_without_admin_api();
    assert_eq!(kids(&world), before[..1], "once is enough");
}

#[test]
fn no_first_document_is_empty_while_a_key_is_waited_for() {
    let import = Import { secret_ref: ImportSecretRef { name: "legacy".into(), key: None }, kid: None, alg: None, key_use: None };
    let spec = JsonWebKeySetSpec {
        keys: vec![KeySource { name: "legacy".into(), import: Some(import), ..KeySource::default() }],
        ..JsonWebKeySetSpec::default()
    };
    let mut world = World::new(spec);
    world.pass(&[]);
    assert_eq!(world.reason(), "SourceMissing");
    assert!(world.objects.is_empty());
    assert_eq!(condition(&world, "Published").expect("Published").0, "False");
    let key = world.store.generator().generate("ES256").expect("a key").with("alg", "ES256");
    world.store_secret("legacy", &key);
    world.pass(&[]);
    assert!(world.is_ready() && published(&world, "payments-jwks").len() == 1);
}

#[test]
fn a_set_of_symmetric_keys_is_published_without_a_key() {
    let mut spec = generated(&["shared"]);
    spec.keys[0].generate.as_mut().expect("generate").alg = Algorithm::HS256;
    let world = ready(spec, vec![target("payments-jwks")]);
    assert!(world.objects.contains_key(&target_id("payments-jwks")) && published(&world, "payments-jwks").is_empty());
}

#[test]
fn what_publish_names_no_longer_goes_after_its_replacement() {
    let mut world = ready(generated(&["signing"]), vec![target("payments-jwks")]);
    world.foreign_objects.push(target_id("second"));
    world.edit(|spec| {
        spec.publish = Some(vec![target("second")]);
        spec.keys.extend(generated(&["other"]).keys);
        spec.signer = Some("signing".into());
    });
    for _ in 0..2 {
        world.pass(&[]);
        world.pass_without_admin_api();
        assert_eq!(condition(&world, "Published"), Some(("False".into(), "TargetNotOwned".into())));
        assert_eq!(published(&world, "payments-jwks").len(), 2, "it stays, and follows the keys");
    }
    world.foreign_objects.clear();
    world.pass_without_admin_api();
    assert_eq!(world.objects.keys().collect::<Vec<_>>(), [&target_id("second")]);
    world.pass(&[]);
    assert!(world.is_ready() && published(&world, "second").len() == 2);
}

#[test]
fn a_target_that_cannot_be_written_keeps_what_it_replaces() {
    let mut world = ready(generated(&["signing"]), vec![target("payments-jwks")]);
    world.edit(|spec| spec.publish = Some(vec![target("second")]));
    world.targets_fail = true;
    world.pass(&[]);
    world.pass_without_admin_api();
    assert_eq!(published(&world, "payments-jwks").len(), 1);
    assert_eq!(condition(&world, "Published"), Some(("False".into(), "TargetFailed".into())));
    world.targets_fail = false;
    world.pass(&[]);
    assert_eq!(world.objects.keys().collect::<Vec<_>>(), [&target_id("second")]);
}

/// Between the loss of a target and its repair verifiers may have read nothing: the announcement begins anew, also after a crash.
#[test]
fn a_lost_announcement_is_forgotten_before_the_target_is_written() {
    let rotation = Rotation { interval: Some(hours(8)), prepublish: Some(hours(1)), retain: Some(hours(2)) };
    let mut world = ready(with_rotation(generated(&["signing"]), rotation), vec![target("payments-jwks")]);
    world.pass_when_due();
    let announced = |world: &World| {
        let keys = world.status().keys.into_iter();
        keys.filter(|key| key.state == KeyState::Announced).map(|key| key.announced_at.is_some()).collect::<Vec<_>>()
    };
    assert_eq!(announced(&world), [true]);
    world.objects.clear();
    world.pass_without_admin_api();
    assert_eq!(announced(&world), [false]);
    assert_eq!(published(&world, "payments-jwks").len(), 2);
    let steps: Vec<_> = world.log.iter().filter_map(|logged| logged.step()).collect();
    assert!(matches!(steps[steps.len() - 2], Step::StoreRecord(_)));
}

/// Every key of an observed set is recorded, so that its targets need no admin API either.
#[test]
fn an_observer_records_what_it_publishes() {
    let mut spec = generated(&["signing"]);
    spec.mode = Some(Mode::Observe);
    spec.publish = Some(vec![target("payments-jwks")]);
    let mut world = World::new(spec);
    world.outsider("posts two keys", |store| {
        store.create(SET, None, "ES256", "").expect("a key");
        store.create(SET, None, "ES256", "").expect("a key");
    });
    world.pass(&[]);
    let before = published(&world, "payments-jwks");
    assert_eq!(before.len(), 2);
    world.objects.clear();
    world.pass_without_admin_api();
    assert_eq!(published(&world, "payments-jwks"), before);

    // What they put is theirs, whoever looks after the set.
    world.edit(|spec| spec.mode = None);
    world.pass(&[]);
    assert!(before.iter().all(|kid| published(&world, "payments-jwks").contains(kid)));
    world.outsider("deletes the set", |store| store.delete_set(SET));
    world.pass(&[]);
    assert!(world.is_ready() && published(&world, "payments-jwks").len() == 1);
}

/// What its owner takes out of an observed set is not the observer's to keep.
#[test]
fn what_leaves_an_observed_set_leaves_its_targets() {
    let mut spec = unannounced(&["signing"]);
    spec.mode = Some(Mode::Observe);
    spec.publish = Some(vec![target("payments-jwks")]);
    let mut world = World::new(spec);
    let own = format!("{SET}.signing.20261123T120000Z");
    world.outsider("makes two keys", |store| {
        store.create(SET, Some(&own), "ES256", "sig").expect("a key");
        store.create(SET, Some("theirs"), "ES256", "sig").expect("a key");
    });
    world.pass(&[]);
    assert_eq!(published(&world, "payments-jwks"), [own.clone(), "theirs".into()]);
    world.outsider("deletes one", |store| store.delete_key(SET, &own));
    world.pass(&[]);
    assert_eq!(published(&world, "payments-jwks"), ["theirs"]);
    world.pass_without_admin_api();
    assert_eq!(published(&world, "payments-jwks"), ["theirs"]);
}

/// A process dies between writing a target with a key of somebody else and remembering that key.
#[test]
fn a_key_of_others_is_remembered_before_it_is_shown() {
    let mut world = ready(generated(&["signing"]), vec![target("payments-jwks")]);
    world.outsider("posts a key", |store| {
        store.create(SET, None, "ES256", "").expect("a key");
    });
    assert_eq!(world.pass(&[Fault::None, Fault::None, Fault::CrashAfter]), End::Crashed);
    assert_eq!(published(&world, "payments-jwks").len(), 2);
    world.pass_without_admin_api();
    assert_eq!(published(&world, "payments-jwks").len(), 2);
}

#[test]
fn nobody_puts_a_key_into_a_target_that_stays() {
    let mut spec = unannounced(&["signing", "shared"]);
    spec.keys[1].generate.as_mut().expect("generate").alg = Algorithm::HS256;
    let mut world = ready(spec, vec![target("payments-jwks")]);
    let theirs = symmetric::from_bytes("theirs", "HS256", "sig", &[7; 32]).expect("a key");
    world.outsider("puts a symmetric key", |store| {
        store.put_key(SET, &theirs).expect("stored");
    });
    world.pass(&[]);
    let before = published(&world, "payments-jwks");
    let shared = world.status().keys.into_iter().find(|key| key.name.as_deref() == Some("shared")).expect("a key").kid;
    for kid in [shared.as_str(), "theirs", "unknown"] {
        let key = world.store.generator().generate("ES256").expect("a key").with("kid", kid).public_half().expect("a public half");
        let set = serde_json::json!({ "keys": [key] }).to_string();
        world.objects.get_mut(&target_id("payments-jwks")).expect("a target").content.data.insert("jwks.json".into(), Document::read(&set));
        world.pass_without_admin_api();
        assert_eq!(published(&world, "payments-jwks"), before, "{kid}");
    }
}

/// Whatever somebody puts beside the keys: a ConfigMap goes only when its replacement is there.
#[test]
fn what_stands_beside_the_keys_removes_no_config_map() {
    let mut world = ready(generated(&["signing"]), vec![target("payments-jwks")]);
    world.private_export = false;
    world.foreign_objects.push(target_id("second"));
    let private = world.live()[0].clone();
    let set = serde_json::to_string(&JwkSet { keys: vec![private] }).expect("JSON");
    world.edit(|spec| spec.publish = Some(vec![target("second")]));
    for document in ["hi", set.as_str()] {
        let held = world.objects.get_mut(&target_id("payments-jwks")).expect("it is there");
        held.content.data.insert("note".into(), Document::read(document));
        world.pass(&[]);
        world.pass_without_admin_api();
        let held = world.objects.get(&target_id("payments-jwks")).expect("it is there");
        assert!(!held.content.may_be_private() && held.content.published().len() == 1);
    }
}

/// A set that keys were put into stays the one of its resource.
#[test]
fn another_set_is_refused_for_as_long_as_it_is_asked_for() {
    let mut world = ready(generated(&["signing"]), vec![target("payments-jwks")]);
    let before = world.objects.clone();
    world.set_prefix = Some("prod:".into());
    for _ in 0..3 {
        world.pass(&[]);
        assert_eq!((world.reason().as_str(), world.status().set.as_deref()), ("SetChanged", Some(SET)));
        assert_eq!(world.objects, before);
    }
}

/// A resource that cannot go yet keeps nothing that is revoked or not granted any more.
#[test]
fn withdrawals_do_not_wait_for_a_deletion() {
    let mut world = ready(unannounced(&["signing", "other"]), vec![target("payments-jwks"), private_target()]);
    world.delete_resource();
    let kids = published(&world, "payments-jwks");
    world.edit(|spec| spec.revoke = vec![kids[0].clone()]);
    let wanted = world.wanted();
    world.publish_by_record(&wanted);
    assert_eq!(published(&world, "payments-jwks"), kids[1..]);
    assert!(world.objects.contains_key(&private_target_id()));
    world.private_export = false;
    let wanted = world.wanted();
    world.publish_by_record(&wanted);
    assert!(!world.objects.contains_key(&private_target_id()));
}

#[test]
fn a_lost_private_copy_is_reported_while_it_cannot_be_made() {
    let mut world = ready(generated(&["signing"]), vec![target("payments-jwks"), private_target()]);
    world.objects.remove(&private_target_id());
    world.pass_without_admin_api();
    assert_eq!(condition(&world, "Published").expect("Published").0, "False");
    assert_eq!(condition(&world, "Ready").expect("Ready").0, "False");
    world.pass(&[]);
    assert!(world.is_ready() && world.objects.contains_key(&private_target_id()));
}
