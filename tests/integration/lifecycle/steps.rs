//! Takes the steps of a pass as the shell does, watched by the oracle.

use std::collections::BTreeSet;

use jwk_operator::{
    api::{KeyState, KeyStatus, Mode, PublicForm, TargetKind},
    hydra::emulator::Refusal,
    jwk::{Jwk, symmetric},
    lifecycle::{
        Answer, Desired, Document, HeldTarget, Observed, Outcome, Place, SourceState, Step, TargetContent, TargetFailure, TargetId,
        TargetState, TargetStep, without_keys,
    },
};

use super::{
    entries::private_target_id,
    oracle::{RemoteWrite, TargetWrite},
    publication::{self, TargetRemoval},
    world::{SET, STAGED, Unanswered, World},
};

impl World {
    /// Takes a step and folds its answer in, as the shell does.
    pub fn take(&mut self, step: &Step, desired: &Desired, seen: &mut Observed) {
        let answer = self.answer(step, desired, seen);
        seen.fold(step, answer, self.operator_time());
    }

    /// What becomes of a step.
    fn answer(&mut self, step: &Step, desired: &Desired, seen: &Observed) -> Answer {
        match step {
            Step::AddFinalizer => self.finalizer = true,
            Step::RemoveFinalizer { .. } => {
                self.finalizer = false;
                self.gone = true;
            }
            Step::StoreRecord(_) => {
                let mut ahead = seen.clone();
                ahead.fold(step, Answer::Done, self.operator_time());
                self.report(desired, &ahead, &Outcome::Underway);
            }
            Step::ReadLive => return self.read(SET),
            Step::ReadStaged => return self.read(STAGED),
            Step::TellUnmanagedLeave { .. } => {}
            Step::Wait { until } => self.now = self.now.max(until.saturating_sub(self.clock).expect("a time")),
            Step::Target(step) => return Answer::Target(self.take_target(step)),
            Step::CreateKey { .. } | Step::CreateSymmetricKey { .. } | Step::PutKey { .. } | Step::ImportKey { .. } => {
                return self.write_key(step, desired);
            }
            Step::DeleteKey { .. } | Step::DeleteSet => _ = self.perform(step, None, None),
        }
        Answer::Done
    }

    /// A set as the server shows it.
    pub fn read(&self, set: &str) -> Answer {
        let found = if self.is_elsewhere { Default::default() } else { self.store.get_set(set).unwrap_or_default() };
        Answer::Read { set: found, server_time: Some(self.now) }
    }

    fn write_key(&mut self, step: &Step, desired: &Desired) -> Answer {
        if let Step::ImportKey { name, key, .. } = step
            && self.source_state(desired, name) != SourceState::Held((**key).clone())
        {
            return Answer::SourceChanged(self.source_state(desired, name));
        }
        let key = self.prepare(step, desired);
        let Some(key) = self.perform(step, key, None) else { return Answer::Conflict };
        if step.place() == Place::Live && (key.is_private() || matches!(step, Step::CreateKey { .. })) {
            self.private_written_at = Some(self.now);
        }
        match step {
            Step::CreateSymmetricKey { place: Place::Live, .. } => self.read(SET),
            Step::CreateSymmetricKey { place: Place::Staged, .. } => self.read(STAGED),
            _ => Answer::Written { key: Box::new(key), server_time: Some(self.now) },
        }
    }

    /// Writes or removes a target. Answers what is there now.
    pub fn take_target(&mut self, step: &TargetStep) -> TargetState {
        let id = step.id();
        if self.targets_fail && !matches!(step, TargetStep::Remove { .. }) {
            let last = self.objects.get(id).cloned().map(Box::new);
            return TargetState::Failed { why: refused(), last };
        }
        match step {
            TargetStep::Write { content, replaces, .. } => {
                let form = self.wanted().targets.iter().find(|target| target.id == *id).map(|target| target.form);
                let signing = match form {
                    None | Some(PublicForm::PemSigner) => BTreeSet::new(),
                    Some(PublicForm::Jwks | PublicForm::PemPerKey) => self.must_be_shown(),
                    // Without kids a key that is revoked under another one is revoked.
                    Some(PublicForm::Pem) => self.must_be_shown().into_iter().filter(|kid| !self.is_revoked_elsewhere(kid)).collect(),
                };
                self.write_target(id, content, replaces.as_deref(), &signing)
            }
            TargetStep::Withdraw { kids, held, .. } => {
                let texts = self.texts.get(id).cloned().unwrap_or_default();
                let data = texts.iter().filter_map(|(key, text)| Some((key.clone(), without_keys(text.as_bytes(), kids)?))).collect();
                // It takes keys out, and nobody knows the text of those that are missing.
                self.write_target(id, &TargetContent { data, ..held.content.own_part() }, Some(held), &BTreeSet::new())
            }
            TargetStep::Remove { .. } => {
                let shown = self.shown();
                let removal = TargetRemoval {
                    id,
                    held: shown.get(id),
                    named: &self.named_targets(),
                    objects: &shown,
                    is_withdrawn: id.kind == TargetKind::Secret && !self.private_export,
                    shown: self.must_be_shown().into_iter().chain(self.still_needed(id)).collect(),
                };
                if let Err(violation) = publication::check_removal(&removal) {
                    panic!("{violation}\n{}", self.history());
                }
                self.objects.remove(id);
                self.oracle.forget_target(id);
                TargetState::Absent
            }
        }
    }

    /// The targets that the spec names and the AdminApi grants.
    pub fn named_targets(&self) -> Vec<TargetId> {
        self.wanted().targets.into_iter().map(|target| target.id).collect()
    }

    /// Whether the key of a kid is revoked under another one.
    fn is_revoked_elsewhere(&self, kid: &str) -> bool {
        let keys = self.status().keys;
        let thumbprint = keys.iter().find(|key| key.kid == kid).and_then(|key| key.thumbprint.clone());
        let is_revoked = |key: &&KeyStatus| self.resource.spec.revoke.contains(&key.kid) && key.thumbprint == thumbprint;
        thumbprint.is_some() && keys.iter().any(|key| is_revoked(&key))
    }

    /// The kids of the keys that sign, as the status has them: every verifier needs them, until they are revoked.
    fn must_be_shown(&self) -> BTreeSet<String> {
        let live = self.live();
        let signs = |record: &KeyStatus| {
            let key = live.iter().find(|key| key.kid() == Some(&record.kid) && key.is_private() && key.key_use() != Some("enc"));
            record.state == KeyState::Active && record.jwk.is_some() && key.is_some_and(|key| key.public_thumbprint() == record.thumbprint)
        };
        let signing = self.status().keys.into_iter().filter(signs).map(|record| record.kid);
        signing.filter(|kid| !self.resource.spec.revoke.contains(kid)).collect()
    }

    /// The kids of the keys that a target shows and that verifiers still need, as the status has them: what is announced, signs, or retired less
    /// than `retain` ago, until it is revoked. Nobody shall encrypt for a key that retired.
    fn still_needed(&self, id: &TargetId) -> Vec<String> {
        let shown = self.shown().get(id).map(|held| held.content.published()).unwrap_or_default();
        let now = self.operator_time();
        let is_shown = |record: &KeyStatus| {
            shown.get(record.kid.as_str()).is_some_and(|key| record.thumbprint.is_some() && record.thumbprint == key.thumbprint().ok())
        };
        let is_needed = |record: &KeyStatus| match record.state {
            KeyState::Announced | KeyState::Active => true,
            KeyState::Retired => {
                let is_for_encryption = record.jwk.as_ref().is_some_and(|jwk| jwk.as_jwk().key_use() == Some("enc"));
                !is_for_encryption && record.remove_after.as_ref().is_none_or(|after| now < after.0)
            }
            KeyState::Planned | KeyState::Staged | KeyState::Revoked | KeyState::Unmanaged => false,
        };
        let needed = self.status().keys.into_iter().filter(|record| is_shown(record) && is_needed(record)).map(|record| record.kid);
        needed.filter(|kid| !self.resource.spec.revoke.contains(kid)).collect()
    }

    /// `signing` are the kids that the document must show.
    fn write_target(
        &mut self,
        id: &TargetId,
        content: &TargetContent,
        replaces: Option<&HeldTarget>,
        signing: &BTreeSet<String>,
    ) -> TargetState {
        self.version += 1;
        let uid = replaces.map_or_else(|| format!("target-{}", self.version).as_str().into(), |held| held.uid.clone());
        let held = HeldTarget { uid, resource_version: self.version.to_string(), is_immutable: false, content: as_read(content) };
        if self.foreign_objects.contains(id) {
            return TargetState::Foreign;
        }
        // An observer mirrors what is there, but for keys that were recorded before it was made one.
        let is_observer = self.resource.spec.mode == Some(Mode::Observe);
        let was_told = |key: &KeyStatus| !matches!(key.state, KeyState::Planned | KeyState::Staged);
        let recorded = is_observer.then(|| self.status().keys.into_iter().filter(was_told).map(|key| key.kid).collect());
        let (shown, named) = (self.shown(), self.with_kids(content));
        let look = TargetWrite {
            id,
            content: &named,
            before: shown.get(id),
            recorded,
            spec: &self.resource.spec,
            status: self.resource.status.as_ref(),
            may_be_private: *id == private_target_id() && self.private_export,
        };
        if let Err(violation) = publication::check_document(&look, signing) {
            panic!("{violation}\n{}", self.history());
        }
        if let Err(violation) = self.oracle.check_target(look, &self.store, &self.secret_keys(), &self.live(), self.now) {
            panic!("{violation}\n{}", self.history());
        }
        self.objects.insert(id.clone(), held.clone());
        self.texts.insert(id.clone(), content.data.iter().map(|(key, document)| (key.clone(), document.text().to_owned())).collect());
        if is_observer {
            let (live, status) = (self.live(), self.status());
            self.oracle.forget_unrecorded(&live, &self.shown(), &status);
        }
        self.oracle.note_published(&self.live(), &self.shown(), self.resource.status.as_ref());
        TargetState::Held(held)
    }

    /// What a request carries: a symmetric key is made when it is sent, not when it lands.
    pub fn prepare(&mut self, step: &Step, desired: &Desired) -> Option<Jwk> {
        match step {
            Step::CreateSymmetricKey { kid, alg, key_use, .. } => {
                self.version += 1;
                let mut bytes = [0; 64];
                bytes[..8].copy_from_slice(&self.version.to_be_bytes());
                Some(symmetric::from_bytes(kid.as_str(), alg.as_str(), key_use.as_str(), &bytes[..32]).expect("a key"))
            }
            Step::PutKey { key, .. } => Some((**key).clone()),
            Step::ImportKey { name, .. } => self.source(desired, name).ok(),
            _ => None,
        }
    }

    /// Lets a write take effect, watched by the oracle. A late one is judged by what was asked for when it was sent; if an outsider changed
    /// the set since, nobody can answer for it.
    pub fn perform(&mut self, step: &Step, key: Option<Jwk>, late: Option<&Unanswered>) -> Option<Jwk> {
        assert!(late.is_some() || !self.is_elsewhere, "{step:?} is sent to a server that is not the set's\n{}", self.history());
        if let Step::PutKey { key: stored, .. } = step {
            let is_forged = self.forged.iter().any(|forged| forged.public_thumbprint() == stored.public_thumbprint());
            assert!(!is_forged, "a key that somebody put into a target is put into the set: {stored:?}\n{}", self.history());
        }
        let (before, staged_before) = (self.live(), self.staged());
        let set = if step.place() == Place::Staged { STAGED } else { SET };
        if self.keeps_private_keys && matches!(step, Step::CreateKey { .. }) {
            self.store.delete_set(set);
        }
        let written = match (step, key) {
            (Step::CreateKey { kid, alg, key_use, .. }, _) => {
                match self.store.create(set, Some(kid.as_str()), alg.as_str(), key_use.as_str()) {
                    Ok(key) => Some(key),
                    Err(Refusal::Conflict) => None,
                    Err(refusal) => panic!("{refusal}"),
                }
            }
            (_, Some(key)) => Some(self.store.put_key(set, &key).unwrap_or_else(|refusal| panic!("{refusal}: {key:?}"))),
            (Step::DeleteKey { kid, .. }, None) => {
                self.store.delete_key(set, kid.as_str());
                None
            }
            (Step::DeleteSet, None) => {
                self.store.delete_set(SET);
                None
            }
            (step, None) => panic!("no remote write: {step:?}"),
        };
        let written = match written.as_ref().and_then(Jwk::public_half).filter(|_| self.keeps_private_keys) {
            Some(public) => Some(self.store.put_key(set, public.as_jwk()).expect("stored")),
            None => written,
        };
        if self.misorders_next && step.writes_private_key() {
            self.misorders_next = false;
            let second = self.live().into_iter().filter(Jwk::is_private).nth(1).expect("another private key");
            self.store.put_key(SET, &second).expect("stored");
        }
        let after = self.live();
        self.oracle.note_live(&before, &after, self.now);
        self.note_kids();
        // Nobody can answer for what arrives after an outsider's change.
        if late.is_some_and(|write| write.changes != self.changes) {
            return written;
        }
        let is_revoked = |kid: &&str| self.resource.spec.revoke.iter().any(|revoked| revoked == kid);
        let deleting = self.resource.metadata.deletion_timestamp.is_some();
        let look = RemoteWrite {
            stored: match step {
                Step::PutKey { key, .. } => Some(key),
                _ => None,
            },
            before: &before,
            after: &after,
            staged_before: &staged_before,
            staged_after: &self.staged(),
            sent_for: late.map_or(&self.resource.spec, |write| &write.spec),
            status: self.resource.status.as_ref(),
            secrets: &self.secret_keys(),
            deleting,
            late: late.is_some(),
            revoked_since: step.kid().filter(|_| late.is_some()).filter(is_revoked),
            is_refusing: late.map_or(self.is_refusing, |write| write.is_refusing),
        };
        if let Err(violation) = self.oracle.check_write(&look, self.now) {
            panic!("{violation}\n{}", self.history());
        }
        written
    }
}

/// The API server did not take it, and may later.
pub fn refused() -> TargetFailure {
    TargetFailure { message: "refused".into(), stalled: false }
}

/// The content of a target as it is read back.
fn as_read(content: &TargetContent) -> TargetContent {
    let data = content.data.iter().map(|(key, document)| (key.clone(), Document::read(document.text()))).collect();
    TargetContent { data, ..content.clone() }
}
