//! Rotation over months, in milliseconds.

use jiff::{SignedDuration, Timestamp};
use jwk_operator::{
    api::{Algorithm, Generate, JsonWebKeySetSpec, KeySource, KeyState, ROTATE_AT_ANNOTATION, Rotation},
    lifecycle::kid,
};
use kube::ResourceExt as _;

use super::{
    entries::{hours, rotation},
    world::{End, SET, World},
};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

fn rotated(interval: u64, prepublish: u64, retain: u64) -> JsonWebKeySetSpec {
    let rotation = Rotation { interval: Some(hours(interval)), prepublish: Some(hours(prepublish)), retain: Some(hours(retain)) };
    let generate = Some(Generate { alg: Algorithm::ES256, key_use: None });
    let entry = KeySource { name: "signing".into(), generate, rotation: Some(rotation), ..KeySource::default() };
    JsonWebKeySetSpec { keys: vec![entry], ..JsonWebKeySetSpec::default() }
}

/// The kids of the live set in its order, private ones with a star.
fn live(world: &World) -> Vec<String> {
    world.live().iter().map(|key| format!("{}{}", if key.is_private() { "*" } else { "" }, key.kid().unwrap_or_default())).collect()
}

fn kid_at(moment: Timestamp) -> String {
    kid::generated(&SET.into(), &"signing".into(), kid::Slot::at(moment)).to_string()
}

fn state_of(world: &World, kid: &str) -> Option<KeyState> {
    world.status().keys.iter().find(|key| key.kid == kid).map(|key| key.state)
}

#[test]
fn four_hundred_days_of_a_thirty_day_rotation_give_exactly_the_expected_keys_and_no_write_between() {
    let mut world = World::new(rotated(720, 24, 48));
    let created = world.resource.metadata.creation_timestamp.clone().expect("a time").0;
    let slot = |index: i64| created + SignedDuration::from_secs(index * 30 * DAY);
    let mut writes = 0;
    for hour in 0..400 * 24 {
        let before = (world.status(), world.live(), world.staged(), world.objects.clone());
        let steps = world.pass(&[]);
        let since = world.now.duration_since(created).as_secs();
        let (index, phase) = (since / (30 * DAY), since % (30 * DAY));
        // Each period: the key of the slot signs from its start; the one before stays for 48 h; the next one is known for the last 24 h.
        let mut expected = vec![format!("*{}", kid_at(slot(index)))];
        if phase < 2 * DAY && index > 0 {
            expected.insert(0, kid_at(slot(index - 1)));
        }
        if phase >= 29 * DAY {
            expected.insert(0, kid_at(slot(index + 1)));
        }
        assert_eq!(live(&world), expected, "hour {hour}");
        let staged: Vec<_> = world.staged().iter().filter_map(|key| key.kid().map(str::to_owned)).collect();
        let waiting = if phase >= 29 * DAY { vec![kid_at(slot(index + 1))] } else { vec![] };
        assert_eq!(staged, waiting, "hour {hour}");
        let next = world.status().next_rotation.expect("a time").0;
        // The time of the announcement has seconds of its own.
        assert_eq!(next.duration_since(slot(index + 1)).as_hours(), 0, "hour {hour}");
        assert!(world.is_ready(), "hour {hour}");
        let is_event = hour == 0 || [0, 2 * DAY, 29 * DAY].iter().any(|start| phase >= *start && phase < start + HOUR) && since >= 29 * DAY;
        let after = (world.status(), world.live(), world.staged(), world.objects.clone());
        if is_event {
            writes += 1;
            assert_ne!(steps, End::Done(0), "hour {hour}");
        } else {
            assert_eq!(steps, End::Done(0), "hour {hour}");
            assert!(before == after, "hour {hour}: something was written");
        }
        world.advance(HOUR);
    }
    // The creation, and each of 13 rotations announced, made active and cleaned up.
    assert_eq!(writes, 1 + 3 * 13);
}

#[test]
fn after_three_missed_intervals_one_key_is_made_and_not_three() {
    let mut world = World::new(rotated(24, 1, 48));
    let created = world.resource.metadata.creation_timestamp.clone().expect("a time").0;
    world.pass(&[]);
    world.restart();
    world.advance(3 * DAY + 5 * HOUR);
    world.pass(&[]);
    let latest = kid_at(created + SignedDuration::from_hours(72));
    assert_eq!(live(&world), [latest.clone(), format!("*{}", kid_at(created))]);
    world.advance(HOUR + 1);
    world.pass(&[]);
    assert_eq!(live(&world), [kid_at(created), format!("*{latest}")], "the newest slot that is not in the future");
    world.advance(HOUR);
    assert_eq!(world.pass(&[]), End::Done(0));
}

#[test]
fn the_annotation_rotates_once_and_says_so() {
    let mut world = World::new(rotated(720, 24, 48));
    world.pass(&[]);
    world.advance(2 * DAY);
    let asked = format!("{:.0}", world.now);
    world.resource.annotations_mut().insert(ROTATE_AT_ANNOTATION.into(), asked.clone());
    world.pass(&[]);
    let kid = kid_at(asked.parse().expect("a time"));
    assert_eq!(state_of(&world, &kid), Some(KeyState::Announced));
    assert_eq!(world.status().last_handled_rotate_at, None);
    world.advance(DAY + 1);
    world.pass(&[]);
    assert_eq!(world.status().signer.as_deref(), Some(kid.as_str()));
    assert_eq!(world.status().last_handled_rotate_at, Some(asked));
    world.advance(3 * DAY);
    world.pass(&[]);
    assert_eq!(live(&world), [format!("*{kid}")], "no second one comes of it");
}

#[test]
fn the_annotation_cannot_ask_for_more_than_the_admin_api_allows() {
    let mut world = World::new(rotated(720, 24, 48));
    world.pass(&[]);
    world.advance(60);
    world.resource.annotations_mut().insert(ROTATE_AT_ANNOTATION.into(), format!("{:.0}", world.now));
    for entry in &mut world.resource.spec.keys {
        entry.rotation.as_mut().expect("a rotation").prepublish = Some(hours(0));
    }
    assert_eq!(world.pass(&[]), End::Done(0));
    assert_eq!((world.is_ready(), world.reason().as_str()), (true, "RotationNotDue"));
    world.advance(HOUR);
    world.pass(&[]);
    assert_eq!(world.live().iter().filter(|key| key.is_private()).count(), 1);
    assert_eq!(world.live().len(), 2, "an hour after the first one it is done");
}

#[test]
fn an_annotation_that_is_no_time_is_told_and_changes_nothing() {
    let mut world = World::new(rotated(720, 24, 48));
    world.pass(&[]);
    let before = world.live();
    world.resource.annotations_mut().insert(ROTATE_AT_ANNOTATION.into(), "tomorrow".into());
    assert_eq!(world.pass(&[]), End::Done(0));
    assert_eq!((world.reason().as_str(), world.live()), ("RotationNotDue", before));
}

#[test]
fn a_rotation_that_the_admin_api_does_not_allow_is_refused_and_changes_nothing() {
    let mut world = World::new(rotated(720, 24, 48));
    world.pass(&[]);
    let before = world.live();
    for (rotation, sentence) in [
        (
            Rotation { interval: Some(std::time::Duration::from_secs(20).into()), ..Rotation::default() },
            "rotation.interval 20s must be at least 1h",
        ),
        (Rotation { prepublish: Some(std::time::Duration::from_secs(120).into()), ..Rotation::default() }, "must be 0s or longer than 2m"),
        (
            Rotation { interval: Some(hours(2)), prepublish: Some(hours(2)), ..Rotation::default() },
            "must be shorter than rotation.interval",
        ),
    ] {
        world.edit(|spec| spec.keys[0].rotation = Some(rotation));
        world.pass(&[]);
        let message = world.status().conditions.iter().find(|condition| condition.type_ == "Ready").expect("Ready").message.clone();
        assert!(message.contains(sentence), "{message}");
        assert_eq!((world.reason().as_str(), world.live()), ("InvalidRotation", before.clone()));
    }
}

#[test]
fn a_revoked_signer_is_gone_after_one_pass_and_listed_until_it_leaves_the_list() {
    let mut world = World::new(rotated(720, 24, 48));
    world.pass(&[]);
    world.advance(DAY);
    let revoked = world.status().signer.expect("a signer");
    world.edit(|spec| spec.revoke = vec![revoked.clone()]);
    world.pass(&[]);
    assert_eq!(world.live().len(), 1);
    assert!(world.live()[0].is_private() && world.live()[0].kid() != Some(&revoked));
    assert!(world.objects.values().all(|held| !held.content.published().contains_key(revoked.as_str())));
    assert_eq!(state_of(&world, &revoked), Some(KeyState::Revoked));
    assert!(world.is_ready());
    world.edit(|spec| spec.revoke.clear());
    world.pass(&[]);
    assert_eq!(state_of(&world, &revoked), None);
    assert_eq!(world.live().len(), 1, "it does not come back");
}

#[test]
fn a_revoked_signer_gives_way_to_the_key_that_is_announced_already() {
    let mut world = World::new(rotated(720, 24, 48));
    let created = world.resource.metadata.creation_timestamp.clone().expect("a time").0;
    world.pass(&[]);
    world.advance(29 * DAY + HOUR);
    world.pass(&[]);
    let announced = kid_at(created + SignedDuration::from_secs(30 * DAY));
    assert_eq!(state_of(&world, &announced), Some(KeyState::Announced));
    world.edit(|spec| spec.revoke = vec![kid_at(created)]);
    world.pass(&[]);
    assert_eq!(live(&world), [format!("*{announced}")]);
}

#[test]
fn a_key_that_is_held_back_answers_the_annotation() {
    let mut world = World::new(rotated(8, 1, 2));
    world.pass(&[]);
    world.advance(7 * HOUR + 1);
    world.pass(&[]);
    assert_eq!(world.staged().len(), 1);
    let waiting = world.staged()[0].kid().map(str::to_owned);
    world.edit(|spec| spec.keys[0].rotation = rotation(6));
    world.advance(10 * HOUR);
    assert_eq!(world.pass(&[]), End::Done(0));
    assert_eq!(world.staged().len(), 1, "it is kept");
    let asked = format!("{:.0}", world.now);
    world.resource.annotations_mut().insert(ROTATE_AT_ANNOTATION.into(), asked.clone());
    world.pass(&[]);
    assert_eq!(world.status().signer, waiting, "it has been announced for long enough");
    assert_eq!(world.status().last_handled_rotate_at, Some(asked));
    assert!(world.staged().is_empty(), "and no other is made");
}
