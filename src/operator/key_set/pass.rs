//! What a pass over one resource works with, and what it waits for.

use std::{sync::Arc, time::Duration};

use futures::future::{self, Either};
use jiff::Timestamp;

use super::current;
use crate::operator::{
    admin_api::connections::Connection,
    context::{Context, to_timestamp},
    error::PassError,
    waits::{
        admission,
        turns::{Admission, Asking, Turn},
    },
    writes::RemoteSet,
};
use crate::{
    api::JsonWebKeySet,
    hydra,
    jwk::Kid,
    lifecycle::{Desired, Notice, Observed, Outcome, Uid, spec::settings::late_answers},
};

/// What failed, for the log of the operator, which has the words of servers.
pub(in crate::operator) struct Failed {
    pub(super) operation: Option<&'static str>,
    pub(super) kid: Option<String>,
    pub(super) error: String,
}

/// What a pass goes by.
pub(super) struct Work {
    pub(super) desired: Desired,
    pub(super) connection: Arc<Connection>,
    pub(super) admin_api: String,
    pub(super) remote: RemoteSet,
    /// How often the set is compared.
    pub(super) resync: Duration,
}

/// What a pass works with.
pub(in crate::operator) struct Pass<'cx> {
    pub(super) cx: &'cx Context,
    pub(super) connection: Arc<Connection>,
    /// The name of the AdminApi.
    pub(super) admin_api: String,
    pub(super) remote: RemoteSet,
    /// The resource as it was last read or written.
    pub(super) resource: Arc<JsonWebKeySet>,
    /// What was done, for events.
    pub(super) notices: Vec<Notice>,
    /// The kid of a POST that was refused in this pass.
    pub(super) refused_kid: Option<Kid>,
    /// Whether somebody else wrote the resource meanwhile.
    pub(super) was_overtaken: bool,
    /// Its turn at the admin API; `None` while it waits for something else.
    pub(super) turn: Option<Turn>,
    /// What it asked for to get it.
    pub(super) asking: Asking,
    /// Its place among those that are about to have a key generated.
    pub(super) preparation: Option<Turn>,
    /// The turn to have a key generated, while the pass looks again before it uses it.
    pub(super) generation: Option<Turn>,
    /// The client whose next write need not wait, while the pass looks again before it uses it.
    pub(super) reserved: Option<hydra::Client>,
    /// Whether it ended before everything was done, so that others come first.
    pub(super) made_room: bool,
    /// What failed last.
    pub(super) failure: Option<Failed>,
    /// How long the server asked to wait after a failure.
    pub(super) retry_after: Option<Duration>,
}

impl<'cx> Pass<'cx> {
    /// A pass over a resource, with its turn and what it asked for to get it.
    pub(super) fn new(work: &Work, resource: Arc<JsonWebKeySet>, (admission, asking): (Admission, Asking), cx: &'cx Context) -> Self {
        Self {
            cx,
            connection: work.connection.clone(),
            admin_api: work.admin_api.clone(),
            remote: work.remote.clone(),
            resource,
            notices: Vec::new(),
            refused_kid: None,
            was_overtaken: false,
            turn: Some(admission.turn),
            asking,
            preparation: admission.preparation,
            generation: None,
            reserved: None,
            made_room: false,
            failure: None,
            retry_after: None,
        }
    }
}

impl Pass<'_> {
    /// The client to read with.
    pub(super) fn client(&self) -> &hydra::Client {
        self.reserved.as_ref().unwrap_or(&self.connection.client)
    }

    /// Refuses to continue when another process may have taken over.
    pub(super) fn require_leadership(&self) -> Result<(), PassError> {
        current::require_leadership(&self.resource, self.cx)
    }

    /// The wall clock. `lifecycle` gets it as an argument.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// Waits for the turn to have a key generated. Meanwhile the pass holds nothing that others need, and ends if the resource is changed:
    /// what it waits for may not be wanted any more.
    ///
    /// # Errors
    /// [`PassError::Overtake`].
    pub(super) async fn wait_for_generation(&mut self) -> Result<(), PassError> {
        let uid = Uid::of(self.resource.as_ref());
        if self.preparation.is_none() {
            self.preparation = self.cx.preparations.try_take(&admission::to_prepare(&self.asking));
        }
        if self.preparation.is_none() {
            // Too many wait in the middle of a pass: this one waits before its next, where it holds next to nothing.
            self.cx.memory.note_waiting_for_key(&uid, true);
            return Err(PassError::Overtake);
        }
        self.reserved = None;
        self.turn = None;
        let asking = Asking { limit: self.connection.generations, ..self.asking.clone() };
        let waiting = self.cx.changes.of(&uid);
        let turns = async {
            let generation = self.cx.generations.take(&asking).await?;
            Some((generation, self.cx.passes.take(&self.asking).await?))
        };
        let (generation, turn) = match future::select(std::pin::pin!(turns), std::pin::pin!(waiting.changed())).await {
            Either::Left((Some(turns), _)) => turns,
            Either::Left((None, _)) | Either::Right(_) => return Err(PassError::Overtake),
        };
        drop(waiting);
        (self.generation, self.turn) = (Some(generation), Some(turn));
        Ok(())
    }

    /// Waits for so long, and for its turn after that. Meanwhile it holds nothing that others need.
    ///
    /// # Errors
    /// [`PassError::Overtake`] if the process ends.
    pub(super) async fn pause(&mut self, wait: Duration) -> Result<(), PassError> {
        self.reserved = None;
        self.turn = None;
        tokio::time::sleep(wait).await;
        self.turn = Some(self.cx.passes.take(&self.asking).await.ok_or(PassError::Overtake)?);
        Ok(())
    }

    /// What is known of earlier writes to the set.
    pub(super) fn note_writes(&self, seen: &mut Observed) {
        let (writes, now) = (self.cx.writes.seen(&self.remote), self.now());
        seen.in_flight_until = writes.in_flight_until.map(|instant| to_timestamp(instant, now));
        seen.generating_until = writes.generating_until.map(|instant| to_timestamp(instant, now));
        seen.private_written_at = writes.private_written.map(|instant| to_timestamp(instant, now));
        seen.answered_since = to_timestamp(writes.unanswered.unwrap_or(self.cx.started), now);
        // Another process may have worked on it before: this one's predecessor, or another shard's.
        let uid = Uid::of(self.resource.as_ref());
        let ours_since = match self.cx.memory.joined(&uid) {
            Some(joined) => Some(joined),
            None if self.cx.predecessor_was_done || self.cx.memory.is_new_here(&uid) => None,
            None => Some(self.cx.started),
        };
        let until = |timeout| ours_since.map(|since| to_timestamp(since + late_answers(timeout), now));
        seen.unknown_until = until(self.connection.request_timeout);
        seen.unknown_generation_until = until(self.connection.generation_timeout);
    }

    /// Notes what failed, with the words of the server, for the line that is written if the status changes for it.
    pub(super) fn note_failure(&mut self, error: &PassError) {
        tracing::debug!(%error, "a step or a read failed");
        let call = error.call();
        self.failure = Some(Failed {
            operation: call.map(|call| call.operation().as_str()),
            kid: call.and_then(|call| call.kid()).map(str::to_owned),
            error: error.to_string(),
        });
    }

    pub(super) fn failed(&mut self, error: &PassError, step_was_due: bool) -> Outcome {
        // It was changed, or is gone: it is read again before anything else happens.
        self.was_overtaken =
            matches!(error.kubernetes_code(), Some(404 | 409)) || matches!(error, PassError::KeepLeading | PassError::Overtake);
        if !matches!(error, PassError::Overtake) {
            self.note_failure(error);
        }
        if error.call().is_some() {
            self.cx.connections.suspect(&self.admin_api);
        }
        self.retry_after = error.retry_after();
        let mut failure = error.failure(step_was_due);
        failure.message += &error.asked_to_wait(self.now());
        Outcome::Failed(failure)
    }
}
