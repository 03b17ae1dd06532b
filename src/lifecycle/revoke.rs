//! Keys that leave at once.

use std::collections::BTreeSet;

use super::{
    assessor::{Assessor, is_first_pass},
    kid,
    rank::Rank,
    record::KeyRecord,
    step::{DeleteCause, Place, Step},
};
use crate::api::{KeyState, Mode, Reason};
use crate::jwk::Jwk;

/// How many kids of `spec.revoke` that are no keys a condition lists.
const LISTED: usize = 3;
/// How alike two kids are, from 0 to 1, before one is taken for a typing error of the other.
const ALIKE: f64 = 0.6;

impl Assessor<'_> {
    /// Lists what the spec revokes, as long as it does. What never was a key of the set is reported instead: it may be a typing error, and the
    /// key that was meant continues to sign.
    pub(super) fn mark_revoked(&mut self) {
        let mut unknown = Vec::new();
        for kid in &self.desired.revoked {
            if !self.is_known(kid) {
                unknown.push(kid);
                continue;
            }
            let name = kid::parse_generated(&self.desired.set, kid).map(|(name, _)| name);
            let record = self.record.keys.entry(kid.clone()).or_insert_with(|| KeyRecord::new(name, KeyState::Revoked));
            record.state = KeyState::Revoked;
        }
        // Before the staged keys are read, a kid may be that of one of them. An observer revokes nothing.
        let is_complete = self.seen.staged.is_some() || is_first_pass(self.seen);
        if !unknown.is_empty() && is_complete && self.desired.mode == Mode::Enforce {
            self.report_unknown(&unknown);
        }
    }

    /// Whether a kid is or was that of a key of this set, as far as anybody knows.
    fn is_known(&self, kid: &str) -> bool {
        self.record.keys.contains_key(kid)
            || self.held_kids.contains(kid)
            || self.seen.removed.contains(kid)
            || self.seen.live.key(kid).is_some()
            || self.seen.staged_keys().iter().any(|key| key.kid() == Some(kid))
    }

    fn report_unknown(&mut self, unknown: &[&String]) {
        let known: BTreeSet<&str> =
            self.record.keys.keys().map(String::as_str).chain(self.seen.live.keys.iter().filter_map(Jwk::kid)).collect();
        let told = unknown.iter().take(LISTED).map(|kid| match closest(kid, &known) {
            Some(close) => format!("kid {kid} in spec.revoke is not a known key of set {}; did you mean {close}?", self.desired.set),
            None => format!("kid {kid} in spec.revoke is not a known key of set {}: status.keys lists the known keys", self.desired.set),
        });
        let message = told.collect::<Vec<_>>().join(" ");
        self.notice(Reason::RevokedKidUnknown, message);
    }

    /// Takes revoked keys out of both sets, before anything else. If no other key can sign, whoever can take its place does so first, by its
    /// rank; if nobody can, it goes all the same.
    pub(super) fn revoke(&mut self) {
        let is_revoked = |key: &&Jwk| key.kid().is_some_and(|kid| self.desired.revoked.contains(kid));
        let live = self.seen.live.keys.iter().filter(is_revoked);
        let staged = self.seen.staged_keys().iter().filter(is_revoked);
        let places = live.map(|key| (Place::Live, key)).chain(staged.map(|key| (Place::Staged, key)));
        let withdrawal = self.withdrawal();
        let steps: Vec<_> = places
            .filter_map(|(place, key)| {
                let rank = if place == Place::Live && key.is_private() { withdrawal } else { Rank::Revoke };
                Some((rank, Step::DeleteKey { place, kid: key.kid()?.to_owned(), cause: DeleteCause::Revoked }))
            })
            .collect();
        self.steps.extend(steps);
    }

    /// When what is revoked leaves set and targets: at once, but after its successor where nothing else can sign.
    pub(super) fn withdrawal(&self) -> Rank {
        if self.capable.is_some() && !self.has_other_signer() { Rank::RevokeReplaced } else { Rank::Revoke }
    }

    /// Whether a private key of the set can sign that the spec does not revoke, and that nobody else put under an own kid.
    fn has_other_signer(&self) -> bool {
        let kids = self.seen.private_keys().filter_map(Jwk::kid);
        kids.into_iter().any(|kid| !self.desired.revoked.contains(kid) && !self.replaced.contains(kid) && self.can_sign(kid))
    }
}

/// The known kid that is most like one that is not known.
fn closest<'known>(kid: &str, known: &BTreeSet<&'known str>) -> Option<&'known str> {
    let likeness = known.iter().map(|other| (strsim::normalized_damerau_levenshtein(kid, other), *other));
    likeness.filter(|(likeness, _)| *likeness >= ALIKE).max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, kid)| kid)
}
