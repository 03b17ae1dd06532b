//! What waits in the staged set, and whether it has to be read to know.

use super::{
    due::Due,
    look::{Look, is_first_pass},
    supply::Supply,
};
use crate::lifecycle::{
    rank::Rank,
    record::Record,
    step::{DeleteCause, Place, Step},
};
use crate::{api::Origin, jwk::Jwk};

/// Deletes what waits in the staged set for nothing: what signs already, is older than what signs, does not fit, or serves no entry. Nobody else
/// has business there.
pub(in crate::lifecycle) fn clear_staged(look: Look<'_>, supply: &Supply) -> Due {
    let mut due = Due::default();
    let left = look.seen.staged_keys().iter().filter_map(Jwk::kid);
    for kid in left.filter(|kid| !supply.kept_staged.contains(*kid) && !look.desired.revoked.contains(*kid)) {
        due.add(Rank::Clear, Step::DeleteKey { place: Place::Staged, kid: kid.into(), cause: DeleteCause::Leftover });
    }
    due
}

/// How many keys wait there, for the status. It says 0 only while none can be there: before a key is put there it does not know.
pub(in crate::lifecycle) fn count_staged(look: Look<'_>, supply: &Supply, record: &Record) -> Option<usize> {
    let Look { desired, seen, now } = look;
    let stored = seen.local.record.staged_keys;
    let may_come = seen.late_answers_until(now).is_some();
    let is_new = is_first_pass(seen) && record.origin == Some(Origin::Created);
    let is_moved = seen.local.record.server.as_ref().is_some_and(|server| *server != desired.server);
    let counted = match &seen.staged {
        Some(staged) => Some(staged.keys.len()),
        // Of a set that was not there before, nothing was staged either. What an earlier resource may have left there shows as a 409.
        None => is_new.then_some(0),
    };
    let is_stored_and_holds = stored == Some(0) && counted == Some(0);
    match counted {
        _ if supply.stages_key => None,
        // What was counted is on another server.
        _ if is_moved && !seen.is_staged_fresh() => None,
        Some(0) if may_come && !is_stored_and_holds => None,
        None => stored,
        counted => counted,
    }
}
