//! Keys that the admin API refuses. A refusal is a finding about one key: the others continue without it.

use super::{
    assessor::Assessor,
    desired::{Entry, Source},
    kid,
    step::RefusedWrite,
};
use crate::api::Reason;

/// How many refusals a condition lists.
const LISTED: usize = 3;

impl Assessor<'_> {
    /// Whether the admin API refused in this pass to store the next key of an entry, so that the entry can supply none.
    pub(super) fn is_refused(&self, entry: &Entry) -> bool {
        let held = self.seen.source(&entry.name).map(|held| held.kid.as_str());
        self.seen.refused.keys().filter(|write| !write.is_removal).any(|write| match &entry.source {
            Source::Generate { .. } => {
                let is_serving = self.seen.live.key(&write.kid).is_some_and(crate::jwk::Jwk::is_private);
                !is_serving && kid::parse_generated(&self.desired.set, &write.kid).is_some_and(|(name, _)| name == entry.name)
            }
            Source::Import(_) => held == Some(write.kid.as_str()),
            Source::Public { kid, .. } => *kid == write.kid,
        })
    }

    /// Leaves out what was refused in this pass, and says so.
    pub(super) fn report_refusals(&mut self) {
        let refused = &self.seen.refused;
        if refused.is_empty() {
            return;
        }
        self.steps.retain(|(_, step)| RefusedWrite::of(step).is_none_or(|write| !refused.contains_key(&write)));
        let mut listed: Vec<&str> = refused.values().take(LISTED).map(String::as_str).collect();
        let more = (refused.len() > LISTED).then(|| format!("and {} more", refused.len() - LISTED));
        listed.extend(more.as_deref());
        self.stalled(
            Reason::AdminApiRefused,
            format!("{}; everything else of set {} goes on, and what was refused is retried", listed.join("; "), self.desired.set),
        );
    }
}
