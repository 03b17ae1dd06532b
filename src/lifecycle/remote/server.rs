//! Whether the set is still on the server where it was last seen.

use super::{due::Due, look::Look};
use crate::api::{KeyState, Reason};
use crate::jwk::Kid;
use crate::lifecycle::{
    publication::{Published, by_record},
    record::KeyRecord,
};

/// Whether the AdminApi leads to another server than the one where the set was last seen, and that holds none of its keys: a wrong address, or a
/// server that is still empty. Repairing it would give every verifier new keys.
pub(in crate::lifecycle) fn is_elsewhere(look: Look<'_>) -> bool {
    let before = &look.seen.local.record;
    let is_other = before.server.as_ref().is_some_and(|server| *server != look.desired.server);
    let is_accepted = look.desired.accepted_server.as_ref() == Some(&look.desired.server);
    let mut known = before.keys.iter().filter(|(_, key)| was_in_the_set(key)).peekable();
    let has_keys = known.peek().is_some();
    let is_there =
        |(kid, key): (&Kid, &KeyRecord)| look.seen.live.key(kid.as_str()).is_some_and(|live| live.public_thumbprint() == key.thumbprint);
    is_other && !is_accepted && has_keys && !known.any(is_there)
}

/// Makes nothing and changes no target until the keys are there, or somebody accepts the server. The targets follow the record.
pub(in crate::lifecycle) fn leave_alone(look: Look<'_>) -> (Due, Published) {
    let (server, set) = (&look.desired.server, &look.desired.set);
    let before = look.seen.local.record.server.as_deref().unwrap_or_default();
    let mut due = Due::default();
    due.stalled(
        Reason::ServerChanged,
        format!(
            "the AdminApi now points to {server}, where set {set} holds none of the keys that it had at {before}: no key is made, and no target changes. Bring the keys there, or start the set anew with the annotation jwk-operator.dev/accept-server: {server}"
        ),
    );
    (due, by_record(&look.desired.publication, &look.seen.local, look.now))
}

/// Whether a key was seen in the set.
fn was_in_the_set(key: &KeyRecord) -> bool {
    !matches!(key.state, KeyState::Planned | KeyState::Staged | KeyState::Revoked)
}
