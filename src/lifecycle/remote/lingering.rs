//! Revocations that the spec does not name any more and that are not over.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::api::{KeyState, Mode};
use crate::jwk::Kid;
use crate::lifecycle::{Desired, Observed};

/// The kids that were revoked, and whose private halves may still wait in the staged set: they are revoked until those are gone. Else a key that
/// the targets lost already would sign when its turn comes. One whose private half is in the live set is spared, as the spec says now.
pub(in crate::lifecycle) fn lingering(desired: &Desired, seen: &Observed, now: Timestamp) -> BTreeSet<Kid> {
    let may_come = seen.staged.is_none() || seen.late_answers_until(now).is_some();
    let is_staged = |kid: &Kid| seen.staged_keys().iter().any(|key| key.kid() == Some(kid.as_str()));
    let signs = |kid: &Kid| seen.live.key(kid.as_str()).is_some_and(|key| key.is_private());
    let revoked = seen.local.record.keys.iter().filter(|(kid, key)| key.state == KeyState::Revoked && !desired.revoked.contains(*kid));
    let left = revoked.map(|(kid, _)| kid).filter(|kid| desired.mode == Mode::Enforce && !signs(kid) && (may_come || is_staged(kid)));
    left.cloned().collect()
}
