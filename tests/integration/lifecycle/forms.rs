//! The forms of public halves beside the JWK Set: each shows what the record holds, wherever a key is in its life.

use jwk_operator::{
    api::{FORM_ANNOTATION, JsonWebKeySetSpec, KeySource, KeyState, PrivateLayout, PublicForm, PublishTarget, Rotation},
    jwk::{Kid, PublicJwk, spki},
    lifecycle::{Document, Step, TargetStep},
};
use serde_json::Value;

use super::{
    entries::{entry, generated, hours, private_target, private_target_id, set_entries, target, target_id, unannounced, with_rotation},
    world::{End, Fault, LATE, SET, World, kids},
};

const FORMS: [PublicForm; 3] = [PublicForm::Pem, PublicForm::PemSigner, PublicForm::PemPerKey];
const FIRST: &str = "shop.payments.signing.20261123T120000Z";
const SECOND: &str = "shop.payments.signing.20261123T200000Z";

fn in_form(form: PublicForm) -> PublishTarget {
    PublishTarget { form: Some(form), ..target("pem") }
}

/// A set of one key, rotated every eight hours and announced for one, and published in one target of this form.
fn rotating(form: PublicForm) -> World {
    let rotation = Rotation { interval: Some(hours(8)), prepublish: Some(hours(1)), retain: Some(hours(2)) };
    ready(with_rotation(generated(&["signing"]), rotation), vec![in_form(form)])
}

fn ready(spec: JsonWebKeySetSpec, publish: Vec<PublishTarget>) -> World {
    let mut world = World::new(JsonWebKeySetSpec { publish: Some(publish), ..spec });
    world.private_export = true;
    world.pass(&[]);
    assert!(world.is_ready(), "{:?}", world.status().conditions);
    world
}

/// The kids of the keys that the target shows, in their order, by data key.
fn shown(world: &World) -> Vec<(String, Vec<String>)> {
    let Some(held) = world.objects.get(&target_id("pem")) else { return Vec::new() };
    let named = |document: &Document| {
        let keys = spki::read_pem(document.text()).unwrap_or_default();
        let kid = |key: &PublicJwk| world.known[&key.thumbprint().expect("a thumbprint").to_string()].first().cloned();
        keys.iter().filter_map(kid).collect()
    };
    held.content.data.iter().map(|(name, document)| (name.clone(), named(document))).collect()
}

fn one(data_key: &str, kids: &[&str]) -> Vec<(String, Vec<String>)> {
    vec![(data_key.to_owned(), kids.iter().map(|kid| (*kid).to_owned()).collect())]
}

fn per_key(kids: &[&str]) -> Vec<(String, Vec<String>)> {
    kids.iter().map(|kid| (kid.replace('.', "_"), vec![(*kid).to_owned()])).collect()
}

fn state(world: &World, kid: &str) -> Option<KeyState> {
    world.status().keys.iter().find(|key| key.kid == kid).map(|key| key.state)
}

fn condition(world: &World, kind: &str) -> Option<(String, String)> {
    let found = world.status().conditions.into_iter().find(|condition| condition.type_ == kind)?;
    Some((found.reason, found.message))
}

#[test]
fn a_rotation_is_shown_in_every_form() {
    for (form, before, announced, after, over) in [
        (
            PublicForm::Pem,
            one("keys.pem", &[FIRST]),
            one("keys.pem", &[FIRST, SECOND]),
            one("keys.pem", &[SECOND, FIRST]),
            one("keys.pem", &[SECOND]),
        ),
        (
            PublicForm::PemSigner,
            one("signer.pem", &[FIRST]),
            one("signer.pem", &[FIRST]),
            one("signer.pem", &[SECOND]),
            one("signer.pem", &[SECOND]),
        ),
        (PublicForm::PemPerKey, per_key(&[FIRST]), per_key(&[FIRST, SECOND]), per_key(&[FIRST, SECOND]), per_key(&[SECOND])),
    ] {
        let mut world = rotating(form);
        assert_eq!(shown(&world), before);
        world.pass_when_due();
        assert_eq!((state(&world, SECOND), shown(&world)), (Some(KeyState::Announced), announced), "{form:?}");
        world.pass_when_due();
        assert_eq!((world.status().signer.as_deref(), shown(&world)), (Some(SECOND), after), "{form:?}");
        world.pass_when_due();
        assert_eq!((kids(&world), shown(&world)), (vec![SECOND.to_owned()], over), "{form:?}");
        assert_eq!(world.pass(&[]), End::Done(0), "{form:?}");
    }
}

#[test]
fn a_form_that_does_not_show_the_announced_key_holds_it_back() {
    for form in [PublicForm::Pem, PublicForm::PemPerKey] {
        let mut world = rotating(form);
        world.targets_fail = true;
        for _ in 0..3 {
            world.advance(4 * 3600);
            world.pass(&[]);
        }
        assert_eq!(world.status().signer.as_deref(), Some(FIRST), "{form:?}");
        world.targets_fail = false;
        world.pass(&[]);
        world.pass_when_due();
        assert_ne!(world.status().signer.as_deref(), Some(FIRST), "{form:?}");
    }
}

#[test]
fn without_the_admin_api_a_lost_target_comes_back_and_a_revoked_key_leaves() {
    for form in FORMS {
        let mut world = ready(unannounced(&["signing", "other"]), vec![in_form(form)]);
        let (signer, before) = (world.status().signer.expect("a signer"), world.objects.clone());
        world.objects.clear();
        world.pass_without_admin_api();
        let content = |objects: &std::collections::BTreeMap<_, jwk_operator::lifecycle::HeldTarget>| {
            objects.values().map(|held| held.content.clone()).collect::<Vec<_>>()
        };
        assert_eq!(content(&world.objects), content(&before), "{form:?}");
        world.edit(|spec| spec.revoke.push(signer.clone()));
        world.pass_without_admin_api();
        assert!(shown(&world).iter().all(|(_, kids)| !kids.contains(&signer)), "{form:?}: {:?}", shown(&world));
        let left = world.objects.clone();
        world.pass_without_admin_api();
        assert_eq!(world.objects, left, "{form:?}: once is enough");
        world.pass(&[]);
        assert!(world.is_ready() && shown(&world).iter().any(|(_, kids)| !kids.is_empty()), "{form:?}");
    }
}

/// A process dies between the write of the target and that of the status, and then the admin API does.
#[test]
fn a_signer_that_a_target_showed_stays_shown_after_a_crash() {
    let mut world = rotating(PublicForm::PemSigner);
    world.pass_when_due();
    let due = world.seconds_until_due().expect("it is due");
    world.advance(due);
    let mut faults = Vec::new();
    while shown(&world) != one("signer.pem", &[SECOND]) {
        assert_eq!(world.pass(&[&faults[..], &[Fault::CrashAfter]].concat()), End::Crashed);
        world.advance(LATE + 1);
        faults.clear();
    }
    world.objects.clear();
    world.pass_without_admin_api();
    assert_eq!(shown(&world), one("signer.pem", &[SECOND]));
}

#[test]
fn a_form_can_be_changed_with_one_write() {
    let mut world = ready(unannounced(&["signing", "other"]), vec![target("pem")]);
    for form in [Some(PublicForm::Pem), Some(PublicForm::PemPerKey), Some(PublicForm::PemSigner), Some(PublicForm::Jwks), None] {
        let before = world.log.len();
        world.edit(|spec| spec.publish = Some(vec![PublishTarget { form, ..target("pem") }]));
        world.pass(&[]);
        let writes = |step: &&Step| matches!(step, Step::Target(TargetStep::Write { .. }));
        let written = world.log[before..].iter().filter_map(|logged| logged.step()).filter(writes).count();
        let content = &world.objects[&target_id("pem")].content;
        let named = form.filter(|form| *form != PublicForm::Jwks).map(PublicForm::as_str);
        assert_eq!(content.annotations.get(FORM_ANNOTATION).map(String::as_str), named);
        assert_eq!(written, usize::from(form.is_some()), "{form:?}: JWKS is the default");
        assert!(world.is_ready() && content.published().len() == if named.is_none() { 2 } else { 0 }, "{form:?}");
    }
}

/// Until what replaces it holds the keys, it follows them in its own form, also if somebody took the annotation away.
#[test]
fn a_target_that_is_no_longer_named_keeps_its_form() {
    for (form, is_annotated) in
        [(PublicForm::Pem, true), (PublicForm::Pem, false), (PublicForm::PemSigner, true), (PublicForm::PemPerKey, true)]
    {
        let mut world = rotating(form);
        if !is_annotated {
            world.objects.get_mut(&target_id("pem")).expect("a target").content.annotations.remove(FORM_ANNOTATION);
        }
        world.foreign_objects.push(target_id("second"));
        world.edit(|spec| spec.publish = Some(vec![target("second")]));
        let signer = world.status().signer.expect("a signer");
        world.edit(|spec| spec.revoke.push(signer.clone()));
        world.pass(&[]);
        let next = world.status().signer.expect("a signer");
        assert!(next != signer && shown(&world).iter().map(|(_, kids)| kids).eq([&vec![next.clone()]]), "{form:?}: {:?}", shown(&world));
        world.foreign_objects.clear();
        world.pass(&[]);
        assert!(!world.objects.contains_key(&target_id("pem")) && world.is_ready(), "{form:?}");
    }
}

#[test]
fn a_kid_whose_data_key_is_taken_is_reported_and_never_signs_unseen() {
    let mut world = World::new(JsonWebKeySetSpec { keys: vec![entry(5, 0)], ..JsonWebKeySetSpec::default() });
    world.edit(|spec| spec.publish = Some(vec![in_form(PublicForm::PemPerKey)]));
    let key = |world: &World, kid: &str| {
        world.store.generator().generate("ES256").expect("a key").with("kid", kid).with("use", "sig").with("alg", "ES256")
    };
    let first = key(&world, "legacy-1");
    world.store_secret("legacy", &first);
    world.pass(&[]);
    assert_eq!(shown(&world), per_key(&["legacy-1"]));
    let public = |name: &str, kid: &str| {
        let half = serde_json::to_value(key(&world, kid).public_half().expect("a public half")).expect("JSON");
        KeySource { name: name.into(), public: serde_json::from_value(half).ok(), ..KeySource::default() }
    };
    let (partner, other) = (public("partner", "legacy~1"), public("other", "legacy=1"));
    world.edit(|spec| set_entries(spec, vec![entry(5, 0), partner, other]));
    world.pass(&[]);
    let (reason, message) = condition(&world, "Stalled").expect("somebody has to act");
    assert_eq!(reason, "TargetFailed");
    assert!(["legacy=1", "legacy~1", "PEMPerKey"].iter().all(|part| message.contains(part)), "{message}");
    assert_eq!(shown(&world).len(), 2, "the others are published: {:?}", shown(&world));
}

/// Supabase Auth wants exactly one key that signs, and takes every key for one that verifies.
#[test]
fn an_array_has_one_signer_and_loses_what_is_revoked() {
    let mut spec = unannounced(&["signing", "other"]);
    spec.keys.push(entry(3, 0));
    let mut asked = private_target();
    asked.secret.as_mut().expect("a Secret").layout = Some(PrivateLayout::Array);
    let mut world = ready(spec, vec![asked]);
    let keys = |world: &World| {
        let text = &world.texts[&private_target_id()]["jwks.json"];
        serde_json::from_str::<Vec<Value>>(text).expect("an array")
    };
    let listed = keys(&world);
    let operations: Vec<_> = listed.iter().map(|key| (key.get("d").is_some(), key["key_ops"].to_string())).collect();
    assert_eq!(operations, [(true, r#"["sign","verify"]"#.to_owned()), (false, r#"["verify"]"#.to_owned())]);
    assert_eq!(listed[0]["kid"].as_str(), world.status().signer.as_deref());
    let revoked: Kid = listed[1]["kid"].as_str().expect("a kid").into();
    world.edit(|spec| spec.revoke.push(revoked.to_string()));
    world.pass_without_admin_api();
    assert_eq!(keys(&world), listed[..1]);
    assert!(world.store.get_key(SET, revoked.as_str()).is_ok(), "the admin API was not asked");
}

/// Without kids nobody can tell whose they are, but they are keys.
#[test]
fn keys_that_nobody_remembers_stay_while_the_admin_api_is_down() {
    for form in FORMS {
        let mut world = rotating(form);
        let before = world.objects.clone();
        world.resource.status = None;
        world.pass_without_admin_api();
        assert_eq!(world.objects, before, "{form:?}");
    }
}

/// The other entry is for encryption, which no form of PEM shows.
#[test]
fn a_key_leaves_a_form_that_has_nothing_else_to_show() {
    for form in FORMS {
        let mut spec = unannounced(&["signing"]);
        spec.keys.push(entry(3, 0));
        spec.signer = Some("signing".into());
        let mut world = ready(spec, vec![target("payments-jwks"), in_form(form)]);
        assert!(!shown(&world).is_empty(), "{form:?}");
        world.edit(|spec| set_entries(spec, vec![entry(3, 0)]));
        for _ in 0..4 {
            world.pass(&[]);
            world.advance(49 * 3600);
        }
        world.pass(&[]);
        assert!(world.is_ready() && kids(&world).len() == 1, "{form:?}: {:?}", world.status().conditions);
        assert!(shown(&world).iter().all(|(_, kids)| kids.is_empty()), "{form:?}: {:?}", shown(&world));
    }
}

#[test]
fn the_signer_of_a_set_without_one_is_waited_for() {
    let mut world = World::new(JsonWebKeySetSpec {
        keys: vec![entry(6, 0)],
        publish: Some(vec![in_form(PublicForm::PemSigner)]),
        ..Default::default()
    });
    world.pass(&[]);
    assert!(world.objects.is_empty() && !world.is_ready());
    assert!(condition(&world, "Published").expect("Published").1.contains("waits for a key that signs"));
}

/// PEM has no kids, so that a reader takes the key for any.
#[test]
fn a_key_that_is_revoked_under_one_kid_leaves_pem_under_every_kid() {
    let mut world = World::new(JsonWebKeySetSpec { keys: vec![entry(5, 7)], ..JsonWebKeySetSpec::default() });
    let key = world.store.generator().generate("ES256").expect("a key").with("alg", "ES256").with("use", "sig");
    world.store_secret("legacy", &key);
    world.edit(|spec| spec.publish = Some(vec![target("payments-jwks"), in_form(PublicForm::Pem)]));
    world.pass(&[]);
    let mut renamed = entry(5, 7);
    renamed.import.as_mut().expect("an import").kid = Some("legacy-2".into());
    world.edit(|spec| set_entries(spec, vec![renamed, entry(0, 7)]));
    world.edit(|spec| spec.signer = Some("signing".into()));
    world.pass(&[]);
    assert_eq!(kids(&world).iter().filter(|kid| kid.starts_with("legacy")).count(), 2);
    world.edit(|spec| {
        set_entries(spec, vec![entry(0, 7)]);
        spec.revoke.push("legacy-2".into());
    });
    world.pass(&[]);
    let pem = world.objects[&target_id("pem")].content.data["keys.pem"].text().to_owned();
    assert_eq!(spki::read_pem(&pem).expect("keys").len(), 1, "{pem}");
}

#[test]
fn a_key_under_two_kids_leaves_under_the_one_that_is_over() {
    let mut world = World::new(JsonWebKeySetSpec { keys: vec![entry(5, 7)], ..JsonWebKeySetSpec::default() });
    let key = world.store.generator().generate("ES256").expect("a key").with("alg", "ES256").with("use", "sig");
    world.store_secret("legacy", &key);
    world.edit(|spec| spec.publish = Some(vec![in_form(PublicForm::Pem)]));
    world.pass(&[]);
    let mut renamed = entry(5, 7);
    renamed.import.as_mut().expect("an import").kid = Some("legacy-2".into());
    world.edit(|spec| set_entries(spec, vec![renamed]));
    for _ in 0..4 {
        world.pass(&[]);
        world.advance(73 * 3600);
    }
    world.pass(&[]);
    assert_eq!(kids(&world), ["legacy-2"]);
}

#[test]
fn a_signer_stays_shown_while_the_server_is_another() {
    for form in [PublicForm::Pem, PublicForm::PemSigner] {
        let mut world = rotating(form);
        world.pass_when_due();
        world.pass_when_due();
        let before = shown(&world);
        world.is_elsewhere = true;
        world.pass(&[]);
        world.objects.clear();
        world.pass(&[]);
        assert_eq!((world.reason().as_str(), shown(&world)), ("ServerChanged", before), "{form:?}");
    }
}

/// The Secret shall hold private keys, which are not known while the admin API is down; until then it holds what it held.
#[test]
fn a_revoked_key_leaves_a_secret_that_is_to_become_private() {
    let mut asked = private_target();
    asked.secret.as_mut().expect("a Secret").content = None;
    asked.secret.as_mut().expect("a Secret").layout = None;
    for form in [None, Some(PublicForm::Pem)] {
        let mut world = ready(unannounced(&["signing", "other"]), vec![PublishTarget { form, ..asked.clone() }]);
        let revoked = kids(&world)[1].clone();
        world.edit(|spec| {
            spec.publish = Some(vec![private_target()]);
            spec.revoke.push(revoked.clone());
        });
        world.pass_without_admin_api();
        let shown = world.shown()[&private_target_id()].content.published();
        assert!(shown.len() == 1 && !shown.contains_key(revoked.as_str()), "{form:?}: {shown:?}");
        world.pass(&[]);
        assert!(world.objects[&private_target_id()].content.is_private());
    }
}

#[test]
fn an_own_key_comes_before_somebody_elses_with_the_same_data_key() {
    let mut world = rotating(PublicForm::PemPerKey);
    let theirs = world.store.generator().generate("ES256").expect("a key").with("kid", SECOND.replace('.', "_"));
    world.outsider("puts a key", |store| {
        store.put_key(SET, theirs.public_half().expect("a public half").as_jwk()).expect("stored");
    });
    world.pass(&[]);
    assert_eq!(shown(&world).len(), 2);
    world.pass_when_due();
    world.pass_when_due();
    assert_eq!(world.status().signer.as_deref(), Some(SECOND));
    assert_eq!(condition(&world, "Stalled").expect("somebody has to act").0, "TargetFailed");
}

/// Rule 14: what vanished was not revoked, and verifiers may still meet its signatures.
#[test]
fn the_signer_stays_shown_after_the_set_was_lost_and_nothing_can_be_made() {
    let mut world = World::new(JsonWebKeySetSpec {
        keys: vec![entry(5, 7)],
        publish: Some(vec![in_form(PublicForm::PemSigner)]),
        ..Default::default()
    });
    let key = world.store.generator().generate("ES256").expect("a key").with("alg", "ES256").with("use", "sig");
    world.store_secret("legacy", &key);
    world.pass(&[]);
    assert_eq!(shown(&world), one("signer.pem", &["legacy-1"]));
    world.secrets.clear();
    world.outsider("deletes the set", |store| store.delete_set(SET));
    for _ in 0..3 {
        world.pass(&[]);
        world.pass_without_admin_api();
        world.advance(3600);
    }
    assert_eq!(shown(&world), one("signer.pem", &["legacy-1"]));
}

/// Nothing else is left to show.
#[test]
fn a_key_that_is_revoked_under_one_of_its_kids_leaves_although_nothing_is_left() {
    for (revoked, form) in [("legacy-1", PublicForm::Pem), ("a-new", PublicForm::Pem), ("a-new", PublicForm::PemSigner)] {
        let mut world = World::new(JsonWebKeySetSpec { keys: vec![entry(5, 7)], publish: Some(vec![in_form(form)]), ..Default::default() });
        let key = world.store.generator().generate("ES256").expect("a key").with("alg", "ES256").with("use", "sig");
        world.store_secret("legacy", &key);
        world.pass(&[]);
        let mut renamed = entry(5, 7);
        renamed.import.as_mut().expect("an import").kid = Some("a-new".into());
        world.edit(|spec| set_entries(spec, vec![renamed]));
        world.pass(&[]);
        assert_eq!(kids(&world).len(), 2);
        world.edit(|spec| {
            spec.keys[0].import.as_mut().expect("an import").kid = (revoked == "legacy-1").then(|| "a-new".into());
            spec.revoke.push(revoked.into());
        });
        world.pass_without_admin_api();
        let text = world.objects[&target_id("pem")].content.data.values().next().expect("a document").text().to_owned();
        assert_eq!(text, "", "{revoked} {form:?}");
    }
}

/// Neither a kid nor a use is in PEM, so that its reader would take signatures of it.
#[test]
fn a_key_whose_alg_is_for_encryption_is_in_no_pem() {
    let half = serde_json::json!({
        "kty": "EC", "crv": "P-256", "kid": "seal", "alg": "ECDH-ES", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    let sealing = KeySource { name: "seal".into(), public: serde_json::from_value(half).ok(), ..KeySource::default() };
    let mut spec = unannounced(&["signing"]);
    spec.keys.push(sealing);
    let world = ready(spec, vec![in_form(PublicForm::Pem), target("payments-jwks")]);
    assert_eq!(shown(&world), one("keys.pem", &[FIRST]));
    assert!(world.objects[&target_id("payments-jwks")].content.published().contains_key("seal"));
}
