//! Keys that the admin API refuses. A refusal is a finding about one key: the others continue without it.

use super::{due::Due, look::Look};
use crate::api::Reason;
use crate::lifecycle::{
    kid,
    spec::entry::{Entry, Source},
};

/// How many refusals a condition lists.
const LISTED: usize = 3;

/// Whether the admin API refused in this pass to store the next key of an entry, so that the entry can supply none.
pub(in crate::lifecycle) fn is_refused(look: Look<'_>, entry: &Entry) -> bool {
    let held = look.seen.source(&entry.name).map(|held| &held.kid);
    look.seen.refused.keys().filter(|write| !write.is_removal).any(|write| match &entry.source {
        Source::Generate { .. } => {
            let is_serving = look.seen.live.key(write.kid.as_str()).is_some_and(crate::jwk::Jwk::is_private);
            !is_serving && kid::parse_generated(&look.desired.set, write.kid.as_str()).is_some_and(|(name, _)| name == entry.name.as_str())
        }
        Source::Import(_) => held == Some(&write.kid),
        Source::Public { kid, .. } => *kid == write.kid,
        Source::Invalid(_) => false,
    })
}

/// Says what was refused in this pass.
pub(in crate::lifecycle) fn report_refusals(look: Look<'_>) -> Due {
    let mut due = Due::default();
    let refused = &look.seen.refused;
    if refused.is_empty() {
        return due;
    }
    let mut listed: Vec<&str> = refused.values().take(LISTED).map(String::as_str).collect();
    let more = (refused.len() > LISTED).then(|| format!("and {} more", refused.len() - LISTED));
    listed.extend(more.as_deref());
    due.stalled(
        Reason::AdminApiRefused,
        format!("{}; everything else of set {} goes on, and what was refused is retried", listed.join("; "), look.desired.set),
    );
    due
}
