//! Keys that leave at once.

use std::collections::BTreeSet;

use super::{
    due::Due,
    look::{Look, is_first_pass},
    recognise::Recognised,
    recover::Recovered,
    signer::can_sign,
    supply::Supply,
};
use crate::api::{KeyState, Mode, Reason};
use crate::jwk::{Jwk, Kid};
use crate::lifecycle::{
    kid,
    rank::Rank,
    record::{KeyRecord, Record},
    step::{DeleteCause, Place, Step},
};

/// How many kids of `spec.revoke` that are no keys a condition lists.
const LISTED: usize = 3;
/// How alike two kids are, from 0 to 1, before one is taken for a typing error of the other.
const ALIKE: f64 = 0.6;

/// The record with what the spec revokes.
pub(in crate::lifecycle) struct Marked {
    pub(in crate::lifecycle) record: Record,
    pub(in crate::lifecycle) due: Due,
}

/// Lists what the spec revokes, as long as it does. What never was a key of the set is reported instead: it may be a typing error, and the key
/// that was meant continues to sign.
pub(in crate::lifecycle) fn mark_revoked(look: Look<'_>, recovered: &Recovered, mut record: Record) -> Marked {
    let (known, unknown): (Vec<_>, Vec<_>) = look.desired.revoked.iter().partition(|kid| is_known(look, recovered, &record, kid));
    for kid in known {
        let name = kid::parse_generated(&look.desired.set, kid.as_str()).map(|(name, _)| name.into());
        let key = record.keys.entry(kid.clone()).or_insert_with(|| KeyRecord::new(name, KeyState::Revoked));
        key.state = KeyState::Revoked;
    }
    // Before the staged keys are read, a kid may be that of one of them. An observer revokes nothing.
    let is_complete = look.seen.staged.is_some() || is_first_pass(look.seen);
    let mut due = Due::default();
    if !unknown.is_empty() && is_complete && look.desired.mode == Mode::Enforce {
        due.notice(Reason::RevokedKidUnknown, unknown_kids(look, &record, &unknown));
    }
    Marked { record, due }
}

/// Whether a kid is or was that of a key of this set, as far as anybody knows.
fn is_known(look: Look<'_>, recovered: &Recovered, record: &Record, kid: &Kid) -> bool {
    record.keys.contains_key(kid)
        || recovered.held.contains_key(kid)
        || look.seen.removed.contains(kid)
        || look.seen.live.key(kid.as_str()).is_some()
        || look.seen.staged_keys().iter().any(|key| key.kid() == Some(kid.as_str()))
}

fn unknown_kids(look: Look<'_>, record: &Record, unknown: &[&Kid]) -> String {
    let set = &look.desired.set;
    let known: BTreeSet<&str> = record.keys.keys().map(Kid::as_str).chain(look.seen.live.keys.iter().filter_map(Jwk::kid)).collect();
    let told = unknown.iter().take(LISTED).map(|kid| match closest(kid.as_str(), &known) {
        Some(close) => format!("kid {kid} in spec.revoke is not a known key of set {set}; did you mean {close}?"),
        None => format!("kid {kid} in spec.revoke is not a known key of set {set}: status.keys lists the known keys"),
    });
    told.collect::<Vec<_>>().join(" ")
}

/// Takes revoked keys out of both sets, before anything else. If no other key can sign, whoever can take its place does so first, by its rank; if
/// nobody can, it goes all the same.
pub(in crate::lifecycle) fn revoke(look: Look<'_>, withdrawal: Rank) -> Due {
    let mut due = Due::default();
    let is_revoked = |key: &&Jwk| key.kid().is_some_and(|kid| look.desired.revoked.contains(kid));
    let live = look.seen.live.keys.iter().filter(is_revoked);
    let staged = look.seen.staged_keys().iter().filter(is_revoked);
    let places = live.map(|key| (Place::Live, key)).chain(staged.map(|key| (Place::Staged, key)));
    for (place, key) in places {
        let rank = if place == Place::Live && key.is_private() { withdrawal } else { Rank::Revoke };
        if let Some(kid) = key.kid() {
            due.add(rank, Step::DeleteKey { place, kid: kid.into(), cause: DeleteCause::Revoked });
        }
    }
    due
}

/// When what is revoked leaves set and targets: at once, but after its successor where nothing else can sign.
pub(in crate::lifecycle) fn withdrawal(look: Look<'_>, own: &Recognised, supply: &Supply) -> Rank {
    // That the spec does not revoke, and that nobody else put under an own kid.
    let is_other_signer = |kid: &str| !look.desired.revoked.contains(kid) && !own.replaced.contains(kid) && can_sign(look, kid);
    let has_other_signer = look.seen.private_keys().filter_map(Jwk::kid).any(is_other_signer);
    if supply.capable.is_some() && !has_other_signer { Rank::RevokeReplaced } else { Rank::Revoke }
}

/// The known kid that is most like one that is not known.
fn closest<'known>(kid: &str, known: &BTreeSet<&'known str>) -> Option<&'known str> {
    let likeness = known.iter().map(|other| (strsim::normalized_damerau_levenshtein(kid, other), *other));
    likeness.filter(|(likeness, _)| *likeness >= ALIKE).max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, kid)| kid)
}
