//! The connections to the admin APIs: made by the AdminApi's own reconcile, used by those of the sets.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::channel::mpsc::UnboundedSender;

use crate::operator::repeats::Repeated;
use crate::{
    api::{AdminApi, AdminApiSpec, Reason},
    hydra,
    lifecycle::{
        Uid,
        spec::settings::{AdminApiSettings, DEFAULT_GENERATION_TIMEOUT},
    },
};

/// How often failing calls may ask an AdminApi about its server.
const BETWEEN_QUESTIONS: Duration = Duration::from_secs(5);

/// One admin API that can be called.
pub(in crate::operator) struct Connection {
    pub(in crate::operator) client: hydra::Client,
    /// How long the generation of a key may take.
    pub(in crate::operator) generation_timeout: Duration,
    /// How long any other request may take.
    pub(in crate::operator) request_timeout: Duration,
    /// How many passes may be under way at the same time.
    pub(in crate::operator) concurrency: usize,
    /// How many keys may be generated at the same time.
    pub(in crate::operator) generations: usize,
    /// What it was made from; a change of any of it makes a new one.
    pub(in crate::operator) basis: Basis,
}

/// What a connection is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::operator) struct Basis {
    pub(in crate::operator) uid: Uid,
    pub(in crate::operator) generation: i64,
    /// The UID and version of each Secret and ConfigMap it reads.
    pub(in crate::operator) sources: Vec<String>,
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::operator) struct Unconnected {
    pub(in crate::operator) reason: Reason,
    pub(in crate::operator) message: String,
}

impl Basis {
    /// Whether it is of this AdminApi as it is now.
    pub(in crate::operator) fn is_of(&self, admin_api: &AdminApi) -> bool {
        self.uid.is_in(&admin_api.metadata) && admin_api.metadata.generation == Some(self.generation)
    }
}

type State = Result<Arc<Connection>, Unconnected>;

/// All connections, by AdminApi name. What is found of an AdminApi that is not known, or is gone by then, is dropped.
pub(in crate::operator) struct Connections {
    known: Mutex<HashMap<String, Known>>,
    changed: UnboundedSender<String>,
    suspected: UnboundedSender<String>,
}

/// What is known of an AdminApi that is there.
#[derive(Default)]
struct Known {
    /// The connection, and whether its server answers; `None` before the first look.
    found: Option<(State, bool)>,
    /// The generation of the AdminApi that this was found of: its rules may change while its connection does not.
    generation: Option<i64>,
    /// When its server was last asked because of a failed call.
    asked: Option<Instant>,
    /// How often it was not usable.
    trouble: Repeated,
}

impl Connections {
    /// No connections yet. The name of each AdminApi whose connection changes is sent to `changed`, of one that a call failed on to
    /// `suspected`.
    pub(in crate::operator) fn new(changed: UnboundedSender<String>, suspected: UnboundedSender<String>) -> Self {
        Self { known: Mutex::default(), changed, suspected }
    }

    /// The AdminApi is there.
    pub(in crate::operator) fn see(&self, name: &str) {
        let mut known = self.lock();
        if !known.contains_key(name) {
            known.insert(name.to_owned(), Known::default());
        }
    }

    /// A call failed: the AdminApi shall say soon whether its server answers. Many failures are one question.
    pub(in crate::operator) fn suspect(&self, name: &str) {
        if let Some(known) = self.lock().get_mut(name)
            && known.asked.is_none_or(|before| before.elapsed() > BETWEEN_QUESTIONS)
        {
            known.asked = Some(Instant::now());
            // The receiver is gone only while the process shuts down.
            let _ = self.suspected.unbounded_send(name.to_owned());
        }
    }

    /// The connection of an AdminApi, or why there is none; `None` before the first look.
    pub(in crate::operator) fn get(&self, name: &str) -> Option<State> {
        self.lock().get(name)?.found.as_ref().map(|(state, _)| state.clone())
    }

    /// Whether the server of an AdminApi answered when it was last asked.
    pub(in crate::operator) fn answered(&self, name: &str) -> bool {
        self.lock().get(name).and_then(|known| known.found.as_ref()).is_some_and(|(_, answers)| *answers)
    }

    /// An AdminApi is not usable. Answers how often since it was logged last, if it should be logged now.
    pub(in crate::operator) fn goes_wrong(&self, name: &str) -> Option<u32> {
        self.lock().get_mut(name).and_then(|known| known.trouble.note(Instant::now()))
    }

    /// It was logged just now that an AdminApi is not usable.
    pub(in crate::operator) fn was_logged(&self, name: &str) {
        if let Some(known) = self.lock().get_mut(name) {
            known.trouble.was_logged(Instant::now());
        }
    }

    /// An AdminApi is usable: what goes wrong next is logged at once.
    pub(in crate::operator) fn is_well(&self, name: &str) {
        if let Some(known) = self.lock().get_mut(name) {
            known.trouble = Repeated::default();
        }
    }

    /// The longest that the generation of a key at any of them may take, and not less than usual: it may have been longer a moment ago.
    pub(in crate::operator) fn longest_timeout(&self) -> Duration {
        let known = self.lock();
        let found = known.values().filter_map(|known| known.found.as_ref());
        let timeouts = found.filter_map(|(state, _)| state.as_ref().ok()).map(|connection| connection.generation_timeout);
        timeouts.fold(DEFAULT_GENERATION_TIMEOUT, Duration::max)
    }

    /// Stores what an AdminApi's reconcile found, and wakes the sets if it makes a difference for them.
    pub(in crate::operator) fn set(&self, name: &str, generation: Option<i64>, state: State, answers: bool) {
        let mut all = self.lock();
        let Some(known) = all.get_mut(name) else { return };
        let is_same_spec = std::mem::replace(&mut known.generation, generation) == generation;
        let same = is_same_spec && known.found.as_ref().is_some_and(|(before, answered)| *answered == answers && is_same(before, &state));
        known.found = Some((state, answers));
        drop(all);
        if !same {
            self.tell(name);
        }
    }

    /// The AdminApi is gone.
    pub(in crate::operator) fn remove(&self, name: &str) {
        self.lock().remove(name);
        self.tell(name);
    }

    fn tell(&self, name: &str) {
        // The receiver is gone only while the process shuts down.
        let _ = self.changed.unbounded_send(name.to_owned());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_same(before: &State, after: &State) -> bool {
    match (before, after) {
        (Ok(before), Ok(after)) => before.basis == after.basis,
        (Err(before), Err(after)) => before == after,
        _ => false,
    }
}

/// The time to the next comparison, give or take a tenth, so that many sets do not ask at once.
pub(in crate::operator) fn resync(spec: &AdminApiSpec) -> Duration {
    AdminApiSettings::of(spec).resync_interval.mul_f64(0.9 + fastrand::f64() * 0.2)
}

#[cfg(test)]
mod tests {
    use futures::channel::mpsc;

    use super::*;

    #[test]
    fn nothing_is_kept_of_what_is_over() {
        let ((changed, _changes), (suspected, mut suspects)) = (mpsc::unbounded(), mpsc::unbounded());
        let connections = Connections::new(changed, suspected);
        let unusable = || Err(Unconnected { reason: Reason::AdminApiInvalid, message: String::new() });
        connections.see("default");
        connections.set("default", Some(1), unusable(), false);
        connections.suspect("default");
        assert!(connections.get("default").is_some() && suspects.try_recv().is_ok());
        connections.remove("default");
        // A reconcile of it and a pass over one of its sets end later.
        connections.set("default", Some(1), unusable(), false);
        connections.suspect("default");
        connections.was_logged("default");
        connections.is_well("default");
        assert!(connections.goes_wrong("default").is_none());
        assert!(connections.lock().is_empty() && suspects.try_recv().is_err());
    }
}
