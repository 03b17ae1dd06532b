//! What can happen between two passes.

use jwk_operator::api::PublicForm;
use proptest::prelude::*;

use super::{
    entries::{ENTRIES, SECRETS},
    world::{Fault, LATE},
};

pub const HOUR: i64 = 3600;
pub const DAY: i64 = 24 * HOUR;

/// What can happen between two passes.
#[derive(Clone, Debug)]
pub enum Event {
    Pass(Vec<Fault>),
    /// A pass in which the admin API does not answer.
    PassAlone,
    Advance(i64),
    DeleteKey(usize),
    DeleteSet,
    DeleteStagedSet,
    DeleteStagedKey(usize),
    ReplaceStaged(usize),
    PostForeign,
    PutForeignPublic,
    PutUnderImportedKid,
    ReplaceWithPrivate(usize),
    ReplaceWithPublic(usize),
    MakePublic(usize),
    MoveToFront(usize),
    LoseStatus,
    DeleteTarget,
    AlterTarget,
    TakeTarget(bool),
    FailTargets(bool),
    RefuseOneOf(Option<usize>),
    AddEntry(usize, usize),
    DropEntry(usize),
    Retime(usize, usize),
    /// An entry becomes invalid, or is corrected.
    Spoil(usize, bool),
    Sign(usize),
    Revoke(usize),
    RevokeNone,
    RotateAt(i64),
    ChangeSecret(usize),
    RemoveSecret(usize),
    LabelSecret(usize, bool),
    Unmanaged(bool),
    Targets(usize),
    /// Whether private keys are asked for in a Secret, and whether they are granted.
    PrivateTarget(bool, bool),
    /// In which form of PEM the keys are published besides.
    Pem(Option<PublicForm>),
    Observe(bool),
    /// Whether an older resource claims the same set.
    Claim(bool),
    /// Whether the AdminApi leads to another server, which is empty.
    Elsewhere(bool),
    RemoveFinalizer,
    /// Somebody puts a key of theirs into all targets, under a kid that the status has.
    Forge(usize),
    Clock(i64),
}

fn faults() -> impl Strategy<Value = Fault> {
    prop_oneof![
        14 => Just(Fault::None),
        1 => Just(Fault::CrashBefore),
        1 => Just(Fault::CrashAfter),
        1 => Just(Fault::Refused),
        1 => Just(Fault::LostReply),
        1 => Just(Fault::RefusedKey),
        1 => (1..LATE).prop_map(Fault::Late),
        1 => (0..12usize).prop_map(Fault::Disturbed),
    ]
}

fn durations() -> impl Strategy<Value = i64> {
    let late = LATE + 1;
    proptest::sample::select(vec![
        1,
        30,
        late,
        late,
        HOUR + 5,
        HOUR + 5,
        4 * HOUR + 5,
        4 * HOUR + 5,
        9 * HOUR,
        30 * HOUR,
        30 * HOUR,
        60 * HOUR,
        10 * DAY,
        400 * DAY,
    ])
}

pub fn events() -> impl Strategy<Value = Event> {
    let passes = prop_oneof![
        14 => proptest::collection::vec(faults(), 0..8).prop_map(Event::Pass),
        2 => Just(Event::PassAlone),
        10 => durations().prop_map(Event::Advance),
        1 => prop_oneof![4 => Just(0), 1 => Just(30), 1 => Just(-30), 1 => Just(-HOUR), 1 => Just(7200), 1 => Just(400 * DAY)].prop_map(Event::Clock),
    ];
    let drift = prop_oneof![
        2 => (0..6usize).prop_map(Event::DeleteKey),
        1 => Just(Event::DeleteSet),
        1 => Just(Event::DeleteStagedSet),
        1 => (0..3usize).prop_map(Event::DeleteStagedKey),
        1 => (0..3usize).prop_map(Event::ReplaceStaged),
        1 => Just(Event::PostForeign),
        1 => Just(Event::PutForeignPublic),
        1 => Just(Event::PutUnderImportedKid),
        1 => (0..6usize).prop_map(Event::ReplaceWithPrivate),
        1 => (0..6usize).prop_map(Event::ReplaceWithPublic),
        1 => (0..6usize).prop_map(Event::MakePublic),
        1 => (0..6usize).prop_map(Event::MoveToFront),
        1 => Just(Event::LoseStatus),
        1 => Just(Event::DeleteTarget),
        1 => Just(Event::AlterTarget),
        1 => any::<bool>().prop_map(Event::TakeTarget),
        1 => any::<bool>().prop_map(Event::FailTargets),
        1 => proptest::option::of(1..4usize).prop_map(Event::RefuseOneOf),
    ];
    let edits = prop_oneof![
        3 => (0..ENTRIES, 0..9usize).prop_map(|(index, timing)| Event::AddEntry(index, timing)),
        1 => (0..ENTRIES).prop_map(Event::DropEntry),
        2 => (0..ENTRIES, 0..9usize).prop_map(|(index, timing)| Event::Retime(index, timing)),
        2 => (4..ENTRIES, any::<bool>()).prop_map(|(index, is_invalid)| Event::Spoil(index, is_invalid)),
        1 => (0..ENTRIES).prop_map(Event::Sign),
        2 => (0..8usize).prop_map(Event::Revoke),
        1 => Just(Event::RevokeNone),
        2 => prop_oneof![Just(-HOUR), Just(0), Just(5 * HOUR)].prop_map(Event::RotateAt),
        2 => (0..SECRETS.len()).prop_map(Event::ChangeSecret),
        1 => (0..SECRETS.len()).prop_map(Event::RemoveSecret),
        1 => (0..SECRETS.len(), any::<bool>()).prop_map(|(index, labelled)| Event::LabelSecret(index, labelled)),
        1 => any::<bool>().prop_map(Event::Unmanaged),
        1 => (0..3usize).prop_map(Event::Targets),
        1 => any::<(bool, bool)>().prop_map(|(asked, granted)| Event::PrivateTarget(asked, granted)),
        1 => proptest::option::of(prop_oneof![Just(PublicForm::Pem), Just(PublicForm::PemPerKey)]).prop_map(Event::Pem),
        1 => any::<bool>().prop_map(Event::Observe),
        1 => any::<bool>().prop_map(Event::Claim),
        1 => any::<bool>().prop_map(Event::Elsewhere),
        1 => Just(Event::RemoveFinalizer),
        1 => (0..6usize).prop_map(Event::Forge),
    ];
    prop_oneof![5 => passes, 2 => drift, 2 => edits]
}
