//! What the targets shall hold.

use super::{
    desired::Target,
    plan::{Assessor, Rank, Severity, Trouble},
    record::KeyRecord,
    step::Step,
    target::{self, TargetState},
};
use crate::api::{KeyState, Reason};
use crate::jwk::Jwk;

impl Assessor<'_> {
    /// Decides what is published, and which targets must be written or removed for it.
    ///
    /// Own keys are published as recorded: targets follow what was decided, not what an outsider did. Keys of others are published as they
    /// are in the set, since they may sign.
    pub(super) fn publish(&mut self) {
        self.publish_live();
        self.publish_awaited();
        for target in &self.desired.targets {
            self.write(target);
        }
        self.remove_dropped();
        self.tell_withheld();
    }

    fn publish_live(&mut self) {
        for key in &self.seen.live.keys {
            let Some(kid) = key.kid() else { continue };
            let record = self.record.keys.get(kid);
            let leaves_at_once =
                key.key_use() == Some("enc") && key.is_private() && record.is_some_and(|record| record.state == KeyState::Retired);
            if self.expired.contains(kid) || leaves_at_once || self.desired.revoked.contains(kid) {
                continue;
            }
            let recorded = record.filter(|record| record.state != KeyState::Unmanaged).and_then(|record| record.jwk.clone());
            // What somebody else stored under an own kid is not the operator's to publish.
            let is_genuine = !self.replaced.contains(kid);
            if let Some(public) = recorded.or_else(|| key.public_half().filter(|_| is_genuine)) {
                self.published.insert(kid.to_owned(), public);
            }
        }
    }

    /// A supplied key that vanished is about to be stored again: it stays published meanwhile.
    fn publish_awaited(&mut self) {
        for kid in &self.explained {
            let was_told = |record: &&KeyRecord| !matches!(record.state, KeyState::Planned | KeyState::Staged | KeyState::Revoked);
            let Some(record) = self.record.keys.get(kid).filter(was_told) else { continue };
            if let Some(public) = record.jwk.clone() {
                self.published.entry(kid.clone()).or_insert(public);
            }
        }
    }

    /// The private keys of the set that may be exported where it is granted, as they stand there: the signer first. What somebody else put
    /// under an own kid is none of them.
    fn exported(&self) -> Vec<&Jwk> {
        let leaves = |kid: &str| self.replaced.contains(kid) || self.expired.contains(kid) || self.desired.revoked.contains(kid);
        self.seen.private_keys().filter(|key| key.kid().is_some_and(|kid| !leaves(kid))).collect()
    }

    fn write(&mut self, target: &Target) {
        let content = Box::new(target::content(target, &self.desired.set, &self.published, &self.exported()));
        // The first document of a target shall not be an empty one while keys are about to be made.
        let keys_are_missing = self.steps.iter().any(|(rank, _)| *rank <= Rank::Store);
        match self.seen.targets.get(&target.id) {
            None => {}
            Some(TargetState::Absent) if keys_are_missing && self.published.is_empty() => {}
            Some(TargetState::Absent) => self.add(Rank::Publish, Step::WriteTarget { id: target.id.clone(), content, replaces: None }),
            Some(TargetState::Held(held)) => {
                self.record.targets.insert(target.id.clone());
                if held.content.secret_type != content.secret_type {
                    // The type of a Secret cannot change.
                    self.add(Rank::Publish, Step::RemoveTarget { id: target.id.clone(), uid: held.uid.clone() });
                } else if held.content.differs_from(&content) {
                    let shows_revoked = held.content.published().keys().any(|kid| self.desired.revoked.contains(kid));
                    let rank = if shows_revoked { self.withdrawal() } else { Rank::Publish };
                    self.add(rank, Step::WriteTarget { id: target.id.clone(), content, replaces: Some(Box::new(held.clone())) });
                }
            }
            Some(TargetState::Foreign) => self.untargetable(
                Reason::TargetNotOwned,
                Severity::Stalled,
                format!("{} exists and is not the operator's: it is left as it is; publish under another name, or remove it", target.id),
            ),
            Some(TargetState::Failed { why, last }) => {
                if last.is_some() {
                    self.record.targets.insert(target.id.clone());
                }
                self.untargetable(Reason::TargetFailed, Severity::Waiting, format!("{} cannot be written: {why}", target.id));
            }
        }
    }

    /// Removes the operator's own objects that `publish` no longer asks for.
    fn remove_dropped(&mut self) {
        let dropped: Vec<_> =
            self.seen.targets.keys().filter(|id| !self.desired.targets.iter().any(|target| target.id == **id)).cloned().collect();
        for id in dropped {
            match self.seen.targets.get(&id) {
                Some(TargetState::Held(held)) => self.add(Rank::Publish, Step::RemoveTarget { uid: held.uid.clone(), id }),
                Some(TargetState::Failed { why, .. }) => {
                    // It stays in the status until it is gone.
                    self.record.targets.insert(id.clone());
                    self.untargetable(Reason::TargetFailed, Severity::Waiting, format!("{id} cannot be removed: {why}"));
                }
                Some(TargetState::Absent | TargetState::Foreign) => {
                    self.record.targets.remove(&id);
                }
                None => {}
            }
        }
    }

    /// Tells of targets for private keys that the AdminApi does not grant. What was written before is removed like any that is not asked for.
    fn tell_withheld(&mut self) {
        for id in &self.desired.withheld {
            self.untargetable(
                Reason::PrivateExportDenied,
                Severity::Stalled,
                format!("{id} shall hold private keys, which the AdminApi does not grant for set {}: ask its owner for privateExport, or publish the public halves", self.desired.set),
            );
        }
    }

    fn untargetable(&mut self, reason: Reason, severity: Severity, message: String) {
        self.troubles.push(Trouble { reason, message, severity, publication: true });
    }
}
