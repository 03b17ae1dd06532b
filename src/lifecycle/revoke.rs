//! Keys that leave at once, and staged keys that wait for nothing any more.

use super::{
    kid,
    plan::{Assessor, Rank},
    record::KeyRecord,
    step::{DeleteCause, Place, Step},
};
use crate::api::KeyState;
use crate::jwk::Jwk;

impl Assessor<'_> {
    /// Lists what the spec revokes, as long as it does.
    pub(super) fn mark_revoked(&mut self) {
        for kid in &self.desired.revoked {
            let name = kid::parse_generated(&self.desired.set, kid).map(|(name, _)| name);
            let record = self.record.keys.entry(kid.clone()).or_insert_with(|| KeyRecord::new(name, KeyState::Revoked));
            record.state = KeyState::Revoked;
        }
    }

    /// Takes revoked keys out of both sets. If the last private key is among them, whoever can take its place does so first, by its rank; if
    /// nobody can, it goes all the same.
    pub(super) fn revoke(&mut self) {
        let is_revoked = |key: &&Jwk| key.kid().is_some_and(|kid| self.desired.revoked.contains(kid));
        let live = self.seen.live.keys.iter().filter(is_revoked);
        let staged = self.seen.staged_keys().iter().filter(is_revoked);
        let places = live.map(|key| (Place::Live, key)).chain(staged.map(|key| (Place::Staged, key)));
        let steps: Vec<_> = places
            .filter_map(|(place, key)| Some(Step::DeleteKey { place, kid: key.kid()?.to_owned(), cause: DeleteCause::Revoked }))
            .collect();
        steps.into_iter().for_each(|step| self.add(Rank::Revoke, step));
    }

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
}
