//! Entries that cannot be carried out as they are written.

use jwk_operator::{
    api::{JsonWebKeySetSpec, KeySource, KeyState, Mode, UnmanagedKeys},
    lifecycle::{self, Failure, Outcome, Sight},
};

use super::{FIRST, HOUR, SECOND, add_entry, new_key, private, published, rotating, run, signer, state};
use crate::lifecycle::{
    entries::{entry, set_entries, spoil},
    world::{SET, World, kids},
};

/// A key that is rotated every eight hours, and a partner's.
fn with_partner() -> World {
    let mut world = World::new(rotating(8, 1, 2));
    add_entry(&mut world, entry(6, 0));
    world.pass(&[]);
    assert!(world.is_ready() && published(&world).contains("partner-1"));
    world
}

fn spoil_all(world: &mut World, is_invalid: bool) {
    world.edit(|spec| spec.keys.iter_mut().for_each(|entry| spoil(entry, is_invalid)));
}

fn condition(world: &World, kind: &str) -> Option<(String, String)> {
    let conditions = world.status().conditions;
    conditions.into_iter().find(|condition| condition.type_ == kind).map(|condition| (condition.reason, condition.message))
}

#[test]
fn an_invalid_public_key_stops_no_other_and_stays_as_it_was() {
    let mut world = with_partner();
    let partner = world.store.get_key(SET, "partner-1").expect("a key");
    spoil_all(&mut world, true);
    run(&mut world, 9 * HOUR);
    assert_eq!(signer(&world), SECOND, "the others are rotated");
    assert_eq!(world.store.get_key(SET, "partner-1").expect("a key"), partner);
    assert_eq!((state(&world, "partner-1"), published(&world).contains("partner-1")), (Some(KeyState::Announced), true));
    let (reason, message) = condition(&world, "Stalled").expect("somebody has to correct it");
    assert_eq!(reason, "InvalidKey");
    assert!(message.contains("key partner, kid partner-1") && message.contains("the other keys continue"), "{message}");
    spoil_all(&mut world, false);
    world.pass(&[]);
    assert!(world.is_ready());
}

/// Nobody knows yet what it shall be.
#[test]
fn an_invalid_key_that_was_never_there_is_not_made_and_its_document_not_published() {
    for (index, reason) in [(6, "InvalidKey"), (5, "InvalidSpec"), (4, "InvalidSpec")] {
        let mut invalid = entry(index, 0);
        spoil(&mut invalid, true);
        let mut world = World::new(JsonWebKeySetSpec { keys: vec![invalid], ..JsonWebKeySetSpec::default() });
        let key = new_key(&world, "legacy-1");
        world.store_secret("legacy", &key);
        world.store_secret("unnamed", &key);
        run(&mut world, 30 * HOUR);
        assert_eq!((kids(&world), world.objects.len(), world.reason().as_str()), (vec![], 0, reason), "entry {index}");
    }
}

#[test]
fn an_import_that_became_invalid_goes_on_signing() {
    for invalid in [
        |entry: &mut KeySource| spoil(entry, true),
        |entry: &mut KeySource| entry.rotation.as_mut().expect("a rotation").prepublish = Some(std::time::Duration::from_secs(1).into()),
        |entry: &mut KeySource| entry.import.as_mut().expect("an import").kid = Some(FIRST.into()),
    ] {
        let mut world = World::new(JsonWebKeySetSpec { keys: vec![entry(5, 7)], ..JsonWebKeySetSpec::default() });
        let key = new_key(&world, "legacy-1");
        world.store_secret("legacy", &key);
        world.pass(&[]);
        world.edit(|spec| {
            set_entries(spec, vec![entry(5, 7), entry(0, 1)]);
            spec.signer = Some("legacy".into());
            spec.unmanaged_keys = Some(UnmanagedKeys::Delete);
            invalid(&mut spec.keys[0]);
        });
        run(&mut world, 100 * HOUR);
        assert!(signer(&world) == "legacy-1" && private(&world).len() == 2, "{:?}", private(&world));
        assert!(["InvalidSpec", "InvalidRotation", "KidReserved"].contains(&world.reason().as_str()), "{}", world.reason());
        // The entry goes, and so does its key, after another has taken over.
        world.edit(|spec| set_entries(spec, vec![entry(0, 1)]));
        run(&mut world, 100 * HOUR);
        assert!(world.is_ready() && kids(&world).iter().all(|kid| kid != "legacy-1"), "{:?}", kids(&world));
    }
}

/// Its kid is one that verifiers were given: it is neither taken away nor given to somebody else's key.
#[test]
fn what_somebody_stored_under_the_kid_of_an_invalid_entry_stays() {
    let mut world = World::new(JsonWebKeySetSpec { unmanaged_keys: Some(UnmanagedKeys::Delete), ..rotating(8, 1, 2) });
    let mut invalid = entry(6, 0);
    spoil(&mut invalid, true);
    add_entry(&mut world, invalid);
    world.pass(&[]);
    let theirs = new_key(&world, "partner-1").public_half().expect("a public half").as_jwk().clone();
    world.outsider("puts a key", |store| {
        store.put_key(SET, &theirs).expect("stored");
    });
    run(&mut world, 100 * HOUR);
    assert_eq!(world.store.get_key(SET, "partner-1").expect("a key"), theirs);
    assert_eq!(state(&world, "partner-1"), Some(KeyState::Unmanaged));
}

/// A kid in a spec does not keep a private half that has served.
#[test]
fn an_invalid_entry_with_the_kid_of_a_generated_key_changes_nothing_for_it() {
    let mut world = World::new(rotating(8, 1, 2));
    world.pass(&[]);
    let mut invalid = entry(6, 0);
    invalid.public.as_mut().expect("a public key").kid = FIRST.into();
    add_entry(&mut world, invalid);
    run(&mut world, 9 * HOUR);
    assert_eq!((private(&world), state(&world, FIRST)), (vec![SECOND.to_owned()], Some(KeyState::Retired)));
    assert_eq!(world.reason(), "KidReserved");
    run(&mut world, 3 * HOUR);
    assert!(!kids(&world).contains(&FIRST.to_owned()), "{:?}", kids(&world));
}

#[test]
fn a_revoked_kid_leaves_although_its_entry_is_invalid() {
    let mut world = with_partner();
    spoil_all(&mut world, true);
    world.edit(|spec| spec.revoke.push("partner-1".into()));
    world.pass(&[]);
    assert!(!kids(&world).contains(&"partner-1".to_owned()) && !published(&world).contains("partner-1"));
}

#[test]
fn an_invalid_entry_is_reported_where_nothing_is_written_and_while_the_admin_api_is_down() {
    let mut world = with_partner();
    spoil_all(&mut world, true);
    world.edit(|spec| spec.mode = Some(Mode::Observe));
    world.pass(&[]);
    assert_eq!(world.reason(), "InvalidKey");

    let mut world = with_partner();
    spoil_all(&mut world, true);
    let failure =
        Failure { reason: jwk_operator::api::Reason::AdminApiUnavailable, message: "down".into(), stalled: false, step_was_due: true };
    let desired = world.desired().expect("the others can be acted on");
    let status = lifecycle::status(&desired, Sight::Nothing, &world.status(), &Outcome::Failed(failure), world.now);
    world.resource.status = Some(status);
    assert_eq!(world.reason(), "AdminApiUnavailable");
    assert_eq!(condition(&world, "Stalled").expect("somebody has to correct it").0, "InvalidKey");
}

#[test]
fn a_set_with_an_invalid_entry_can_be_deleted() {
    let mut world = with_partner();
    spoil_all(&mut world, true);
    world.pass(&[]);
    world.delete_resource();
    world.pass(&[]);
    assert!(world.gone && world.live().is_empty(), "{:?}", kids(&world));
}

/// What signs goes on signing, also if the entry generated it before, and another entry is rotated meanwhile.
#[test]
fn an_entry_that_became_an_invalid_import_goes_on_signing() {
    let mut world = World::new(JsonWebKeySetSpec { signer: Some("signing".into()), ..rotating(8, 1, 2) });
    world.edit(|spec| {
        spec.keys.push(entry(1, 1));
        spec.keys[0].rotation = None;
    });
    world.pass(&[]);
    let signer = signer(&world);
    let mut invalid = entry(5, 7);
    spoil(&mut invalid, true);
    invalid.name = "signing".into();
    world.edit(|spec| spec.keys[0] = invalid);
    run(&mut world, 20 * HOUR);
    assert_eq!((super::signer(&world), world.reason().as_str()), (signer, "InvalidSpec"));
}

/// Its kid is for nobody else: the entry will be corrected.
#[test]
fn an_import_takes_no_kid_of_an_invalid_public_key() {
    let mut invalid = entry(6, 0);
    spoil(&mut invalid, true);
    let mut world = World::new(JsonWebKeySetSpec { keys: vec![entry(4, 7), invalid], ..JsonWebKeySetSpec::default() });
    let key = new_key(&world, "partner-1");
    world.store_secret("unnamed", &key);
    run(&mut world, HOUR);
    assert!(kids(&world).is_empty(), "{:?}", kids(&world));
}

/// A target loses the key while the entry is invalid: its time begins anew.
#[test]
fn an_announced_key_of_an_invalid_import_waits_for_the_targets_again() {
    let mut world = World::new(JsonWebKeySetSpec { keys: vec![entry(5, 6)], ..JsonWebKeySetSpec::default() });
    let first = new_key(&world, "legacy-1");
    world.store_secret("legacy", &first);
    world.pass(&[]);
    let next = new_key(&world, "legacy-2");
    world.store_secret("legacy", &next);
    world.edit(|spec| spec.keys[0].import.as_mut().expect("an import").kid = Some("legacy-2".into()));
    world.pass(&[]);
    assert_eq!(state(&world, "legacy-2"), Some(KeyState::Announced));
    let announced_at = |world: &World| world.status().keys.into_iter().find(|key| key.kid == "legacy-2").expect("a key").announced_at;
    assert!(announced_at(&world).is_some());
    world.edit(|spec| spec.keys[0].import.as_mut().expect("an import").kid = Some("legacy/2".into()));
    world.targets_fail = true;
    world.objects.clear();
    world.pass(&[]);
    assert!(announced_at(&world).is_none());
}

/// What cannot have its kid fills no gap: another entry does, at once.
#[test]
fn an_import_without_its_kid_does_not_keep_another_from_signing_at_once() {
    let mut invalid = entry(6, 0);
    spoil(&mut invalid, true);
    let mut world = World::new(JsonWebKeySetSpec::default());
    let key = new_key(&world, "partner-1");
    world.store_secret("unnamed", &key);
    world.edit(|spec| {
        set_entries(spec, vec![entry(4, 7), entry(0, 2), invalid]);
        spec.signer = Some("unnamed".into());
    });
    world.pass(&[]);
    assert_eq!(private(&world), [FIRST]);
}

/// Somebody's symmetric key that was imported once does not come back in front.
#[test]
fn an_invalid_import_keeps_what_signs_and_not_what_retired() {
    let mut import = entry(5, 7);
    import.name = "signing".into();
    let mut world = World::new(JsonWebKeySetSpec { keys: vec![import.clone()], publish: Some(vec![]), ..JsonWebKeySetSpec::default() });
    let shared = jwk_operator::jwk::symmetric::from_bytes("legacy-1", "HS256", "sig", &[7; 32]).expect("a key");
    world.store_secret("legacy", &shared);
    world.pass(&[]);
    assert_eq!(private(&world), ["legacy-1"]);
    let mut generated = entry(0, 7);
    generated.name = "signing".into();
    world.edit(|spec| set_entries(spec, vec![generated]));
    run(&mut world, HOUR);
    let before = private(&world);
    assert_eq!(before.len(), 2, "{before:?}");
    spoil(&mut import, true);
    world.edit(|spec| set_entries(spec, vec![import]));
    run(&mut world, HOUR);
    assert_eq!(signer(&world), before[0]);
}
