//! Passes without the admin API: what the record and the targets alone are enough for, with a check of what they have to bring about.

use jwk_operator::{
    api::{FORM_ANNOTATION, KeyState, Reason},
    lifecycle::{self, Failure, Granting, KeyRecord, Local, LocalStep, Outcome, Pace, Progress, Sight, TargetState, Wanted},
};

use super::world::World;

impl World {
    /// What is published while the admin API is not asked, be the spec valid or not.
    pub fn wanted(&self) -> Wanted {
        let api = self.grants();
        if self.is_claimed {
            return Wanted::without_spec(&self.resource, Granting::Rules(&api), None);
        }
        Wanted::without_admin_api(&self.resource, Granting::Rules(&api), None)
    }

    /// One pass in which the admin API is not asked: it does not answer, or the spec is refused.
    pub fn pass_without_admin_api(&mut self) {
        if self.gone || self.resource.metadata.deletion_timestamp.is_some() {
            return;
        }
        self.say("PASS WITHOUT ADMIN API");
        let wanted = self.wanted();
        let local = self.publish_by_record(&wanted);
        let now = self.operator_time();
        let generation = self.resource.metadata.generation.unwrap_or(1);
        let status = match self.acted_on() {
            Ok(desired) => {
                let message = "it does not answer".to_owned();
                let failure = Failure { reason: Reason::AdminApiUnavailable, message, stalled: false, step_was_due: false };
                lifecycle::status(&desired, Sight::Targets(&local), &self.status(), &Outcome::Failed(failure), now)
            }
            Err(refusal) => lifecycle::refused(&self.status(), generation, &refusal, (&wanted, &local), now),
        };
        self.oracle.check_status(&status, &self.store, &self.secret_keys());
        self.resource.status = Some(status);
        self.oracle.note_published(&self.live(), &self.shown(), self.resource.status.as_ref());
        self.check_publication(&wanted, &local);
    }

    /// Takes step after step of publication.
    pub fn publish_by_record(&mut self, wanted: &Wanted) -> Local {
        let mut local = self.local(wanted);
        let mut progress = Progress::default();
        while let Some(step) = lifecycle::next_by_record(wanted, &local, self.operator_time()) {
            assert_eq!(progress.note(&step.clone().into()), Pace::GoOn, "no fixed point: {step:?}\n{}", self.history());
            self.say_step(step.clone().into());
            match step {
                LocalStep::StoreRecord(record) => {
                    let mut status = self.status();
                    record.write_into(&mut status);
                    self.resource.status = Some(status);
                    local.record_was_stored(*record);
                }
                LocalStep::Target(step) => {
                    let state = self.take_target(&step);
                    local.target_was_written(step.id().clone(), state);
                }
            }
        }
        local
    }

    /// Rule 13: what needs no admin API is done. Rule 15: what a target shows is what the record holds.
    fn check_publication(&self, wanted: &Wanted, local: &Local) {
        let shown = self.shown();
        for (id, held) in local.targets.keys().filter_map(|id| Some((id, shown.get(id)?))) {
            let has_failed = matches!(local.targets.get(id), Some(TargetState::Failed { .. }));
            let published = held.content.published();
            let is_revoked = published.keys().any(|kid| wanted.revoked.contains(kid));
            assert!(has_failed || !is_revoked, "rule 13: {id} shows a revoked key\n{}", self.history());
            assert!(
                self.private_export || !held.content.is_private(),
                "rule 13: {id} holds private keys without a grant\n{}",
                self.history()
            );
            let is_pem = held.content.annotations.contains_key(FORM_ANNOTATION);
            // Rule 14 comes first: nothing empty takes the place of keys.
            let is_shown = |key: &KeyRecord| match (key.state, &key.jwk) {
                (KeyState::Planned | KeyState::Staged | KeyState::Revoked, _) | (_, None) => false,
                (_, Some(jwk)) if is_pem && jwk.as_jwk().key_use() == Some("enc") => false,
                (KeyState::Retired, Some(jwk)) => jwk.as_jwk().key_use() != Some("enc"),
                (_, Some(_)) => true,
            };
            if !local.record.keys.iter().any(|(kid, key)| is_shown(key) && !wanted.revoked.contains(kid)) || has_failed {
                continue;
            }
            for kid in published.keys() {
                assert!(local.record.keys.contains_key(kid), "rule 15: {id} shows {kid}, which nobody recorded\n{}", self.history());
            }
        }
    }
}
