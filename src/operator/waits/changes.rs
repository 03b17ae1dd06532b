//! Tells a pass that waits that its resource was changed: what it waits for may not be wanted any more, or be more urgent.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::lifecycle::Uid;

/// Those who wait, by the UID of the resource that they work on. There is one for each at most.
#[derive(Default)]
pub(in crate::operator) struct Changes {
    waiting: Mutex<HashMap<Uid, Arc<Notify>>>,
}

/// Somebody who waits, until it is dropped.
pub(in crate::operator) struct Waiting<'changes> {
    changes: &'changes Changes,
    uid: Uid,
    notify: Arc<Notify>,
}

impl Changes {
    /// Begins to listen for changes of a resource.
    pub(in crate::operator) fn of(&self, uid: &Uid) -> Waiting<'_> {
        let notify = Arc::new(Notify::new());
        self.lock().insert(uid.clone(), notify.clone());
        Waiting { changes: self, uid: uid.clone(), notify }
    }

    /// The resource was changed.
    pub(in crate::operator) fn note(&self, uid: &Uid) {
        if let Some(notify) = self.lock().get(uid) {
            notify.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uid, Arc<Notify>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting<'_> {
    /// Waits for a change since the last one that was seen.
    pub(in crate::operator) async fn changed(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waiting = self.changes.lock();
        if waiting.get(&self.uid).is_some_and(|notify| Arc::ptr_eq(notify, &self.notify)) {
            waiting.remove(&self.uid);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn a_change_is_seen_once_also_if_it_came_before_the_wait() {
        let changes = Changes::default();
        changes.note(&"a".into());
        let waiting = changes.of(&"a".into());
        assert!(waiting.changed().now_or_never().is_none(), "older than the wait");
        changes.note(&"b".into());
        assert!(waiting.changed().now_or_never().is_none(), "another resource");
        changes.note(&"a".into());
        changes.note(&"a".into());
        assert!(waiting.changed().now_or_never().is_some());
        assert!(waiting.changed().now_or_never().is_none());
        drop(waiting);
        assert!(changes.lock().is_empty(), "nothing is kept of what is over");
    }
}
