//! Resources that are gone although they were held.
//!
//! The API server removes a resource that nobody held when the deletion was looked at, also when a finalizer was written in that very moment.
//! What was made for it would stay for ever: so it is cleaned up after as if it were being deleted.
//!
//! That is known only if the watch saw the deletion. A resource that is missing after the watch was interrupted may have lost its finalizer to
//! somebody who wants the remote set to stay. So the set stays, and an event says so.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::channel::mpsc;
use kube::{Resource as _, ResourceExt as _, core::DeserializeGuard, runtime::watcher};

use crate::operator::watch::merged;
use crate::{
    api::{FINALIZER, JsonWebKeySet},
    lifecycle::{Uid, spec::access::Labels},
};

/// The resources that are gone although they were held, by UID.
pub(in crate::operator) struct Departed {
    resources: Mutex<HashMap<Uid, Departure>>,
    noticed: mpsc::UnboundedSender<Noticed>,
}

/// A resource that is gone although it was held when it was last seen.
pub(in crate::operator) enum Noticed {
    /// Nobody let it go.
    Gone(Arc<JsonWebKeySet>),
    /// It is not known whether somebody did.
    Vanished(Arc<JsonWebKeySet>),
}

/// What became of a resource that is gone. It is kept until the cleanup ends, which begins when the pass that was under way is over. No pass
/// begins after that, since the resource is not in the store.
enum Departure {
    /// Its remote set is to be cleaned up.
    Open(Arc<JsonWebKeySet>),
    /// Its remote set is cleaned up, or left as it is.
    Over,
}

impl Departed {
    /// None so far. Each that is noticed is sent to `noticed`.
    pub(in crate::operator) fn new(noticed: mpsc::UnboundedSender<Noticed>) -> Self {
        Self { resources: Mutex::default(), noticed }
    }

    /// Notices a resource of this operator whose last state was held, and not being deleted. The last state of one that was deleted in order,
    /// by this operator or by somebody who took its finalizer away, still has the finalizer: that one was released.
    pub(in crate::operator) fn note(&self, seen: &merged::Seen<DeserializeGuard<JsonWebKeySet>>, is_ours: impl Fn(&Labels) -> bool) {
        let (resource, is_certain) = match seen {
            merged::Seen::Event(watcher::Event::Delete(resource)) => (resource, true),
            merged::Seen::Vanished(resource) => (resource, false),
            merged::Seen::Event(_) => return,
        };
        if let Ok(resource) = &resource.0
            && was_held(resource)
            && is_ours(resource.labels())
        {
            self.take(resource.clone(), is_certain);
        }
    }

    fn take(&self, resource: JsonWebKeySet, is_certain: bool) {
        let uid = Uid::of(&resource);
        let resource = Arc::new(resource);
        // The receiver is gone only while the process shuts down.
        let _ = self.noticed.unbounded_send(if is_certain {
            self.lock().insert(uid, Departure::Open(resource.clone()));
            Noticed::Gone(resource)
        } else {
            Noticed::Vanished(resource)
        });
    }

    /// Whether a resource is known to be gone.
    pub(in crate::operator) fn holds(&self, uid: &Uid) -> bool {
        self.lock().contains_key(uid)
    }

    /// Those whose sets are not cleaned up yet: until then nobody else owns them.
    pub(in crate::operator) fn open(&self) -> Vec<Arc<JsonWebKeySet>> {
        let resources = self.lock();
        let open = resources.values().filter_map(|departure| match departure {
            Departure::Open(resource) => Some(resource.clone()),
            Departure::Over => None,
        });
        open.collect()
    }

    /// Nothing is left to do for this one. Answers whether it was a departed one.
    pub(in crate::operator) fn let_go(&self, uid: &Uid) -> bool {
        self.lock().get_mut(uid).map(|departure| *departure = Departure::Over).is_some()
    }

    /// Whether its set is not cleaned up yet.
    pub(in crate::operator) fn is_open(&self, uid: &Uid) -> bool {
        matches!(self.lock().get(uid), Some(Departure::Open(_)))
    }

    /// The cleanup is over, or it is not gone: it is only not watched any more.
    pub(in crate::operator) fn forget(&self, uid: &Uid) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uid, Departure>> {
        // A panic while the lock was held leaves nothing half done that matters.
        self.resources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the last state that was seen of a resource was held, and not being deleted.
fn was_held(resource: &JsonWebKeySet) -> bool {
    resource.meta().deletion_timestamp.is_none() && resource.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(uid: &str) -> JsonWebKeySet {
        let mut resource = JsonWebKeySet::new("payments", Default::default());
        resource.metadata.uid = Some(uid.to_owned());
        resource.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        resource
    }

    #[test]
    fn nothing_is_kept_of_what_is_over() {
        let (noticed, mut told) = mpsc::unbounded();
        let departed = Departed::new(noticed);
        let gone = &Uid::from("gone");
        departed.take(resource("gone"), true);
        assert!(departed.holds(gone) && departed.open().len() == 1);
        assert!(departed.let_go(gone) && departed.holds(gone), "the pass of the cleanup still ends");
        departed.forget(gone);
        assert!(!departed.let_go(gone) && departed.lock().is_empty());
        assert!(matches!(told.try_recv(), Ok(Noticed::Gone(_))));
    }

    #[test]
    fn the_set_of_what_vanished_in_a_gap_of_the_watch_stays() {
        let (noticed, mut told) = mpsc::unbounded();
        let departed = Departed::new(noticed);
        departed.take(resource("vanished"), false);
        assert!(departed.lock().is_empty() && departed.open().is_empty(), "nothing is cleaned up, and nothing is kept");
        assert!(matches!(told.try_recv(), Ok(Noticed::Vanished(_))));
    }
}
