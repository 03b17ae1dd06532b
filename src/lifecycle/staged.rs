//! What waits in the staged set, and whether it has to be read to know.

use super::{
    assessor::{Assessor, is_first_pass},
    rank::Rank,
    step::{DeleteCause, Place, Step},
};
use crate::{api::Origin, jwk::Jwk};

impl Assessor<'_> {
    /// Deletes what waits in the staged set for nothing: what signs already, is older than what signs, does not fit, or serves no entry.
    /// Nobody else has business there.
    pub(super) fn clear_staged(&mut self) {
        let left = self.seen.staged_keys().iter().filter_map(Jwk::kid);
        let left: Vec<_> =
            left.filter(|kid| !self.kept_staged.contains(*kid) && !self.desired.revoked.contains(*kid)).map(str::to_owned).collect();
        for kid in left {
            self.add(Rank::Clear, Step::DeleteKey { place: Place::Staged, kid, cause: DeleteCause::Leftover });
        }
    }

    /// Remembers how many keys wait there. The status says 0 only while none can be there: before a key is put there it does not know.
    pub(super) fn count_staged(&mut self) {
        let stored = self.seen.local.record.staged_keys;
        let may_come = self.seen.late_answers_until(self.now).is_some();
        let is_new = is_first_pass(self.seen) && self.record.origin == Some(Origin::Created);
        let is_moved = self.seen.local.record.server.as_ref().is_some_and(|server| *server != self.desired.server);
        let seen = match &self.seen.staged {
            Some(staged) => Some(staged.keys.len()),
            // Of a set that was not there before, nothing was staged either. What an earlier resource may have left there shows as a 409.
            None => is_new.then_some(0),
        };
        let is_stored_and_holds = stored == Some(0) && seen == Some(0);
        self.record.staged_keys = match seen {
            _ if self.steps.iter().any(|(_, step)| step.stages_key()) => None,
            // What was counted is on another server.
            _ if is_moved && !self.seen.is_staged_fresh() => None,
            Some(0) if may_come && !is_stored_and_holds => None,
            None => stored,
            counted => counted,
        };
    }
}
