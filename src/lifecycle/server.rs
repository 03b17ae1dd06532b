//! Whether the set is still on the server where it was last seen.

use std::collections::BTreeSet;

use super::{
    assessor::{Assessment, Assessor},
    publication::{self, by_record},
    record::{KeyRecord, Record},
    step::Step,
};
use crate::api::{KeyState, Reason};

impl Assessor<'_> {
    /// Whether the AdminApi leads to another server than the one where the set was last seen, and that holds none of its keys: a wrong address,
    /// or a server that is still empty. Repairing it would give every verifier new keys.
    pub(super) fn is_elsewhere(&self) -> bool {
        let before = &self.seen.local.record;
        let is_other = before.server.as_ref().is_some_and(|server| *server != self.desired.server);
        let is_accepted = self.desired.accepted_server.as_ref() == Some(&self.desired.server);
        let mut known = before.keys.iter().filter(|(_, key)| was_in_the_set(key)).peekable();
        let has_keys = known.peek().is_some();
        let is_there =
            |(kid, key): (&String, &KeyRecord)| self.seen.live.key(kid).is_some_and(|live| live.public_thumbprint() == key.thumbprint);
        is_other && !is_accepted && has_keys && !known.any(is_there)
    }

    /// Makes nothing and changes no target until the keys are there, or somebody accepts the server. The targets follow the record.
    pub(super) fn leave_alone(mut self) -> Assessment {
        let recorded = self.seen.local.record.clone();
        let (server, set) = (&self.desired.server, &self.desired.set);
        let before = recorded.server.as_deref().unwrap_or_default();
        let message = format!(
            "the AdminApi now points to {server}, where set {set} holds none of the keys that it had at {before}: no key is made, and no target changes. Bring the keys there, or start the set anew with the annotation jwk-operator.dev/accept-server: {server}"
        );
        self.steps.clear();
        self.troubles.clear();
        self.due = None;
        self.next_rotation = None;
        self.stalled(Reason::ServerChanged, message);
        let wanted = &self.desired.publication;
        let published = by_record(wanted, &self.seen.local, self.now);
        self.steps.extend(published.steps.into_iter().map(|(rank, step)| (rank, Step::Target(step))));
        self.troubles.extend(published.troubles);
        self.record = Record { targets: published.written, ..recorded };
        let public = publication::published(&self.record, &wanted.revoked, &BTreeSet::new());
        self.finish(public)
    }
}

/// Whether a key was seen in the set.
fn was_in_the_set(key: &KeyRecord) -> bool {
    !matches!(key.state, KeyState::Planned | KeyState::Staged | KeyState::Revoked)
}
