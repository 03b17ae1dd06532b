//! Those that wait for their turn before a pass: each in a task of its own, outside of the queue of reconciles.
//!
//! kube's controller polls every reconcile that is under way each time that one of them has something to do. Thousands that wait inside of it
//! would cost a look at each of them with every event.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures::channel::mpsc;
use kube::runtime::reflector::ObjectRef;

use super::turns::Admission;
use crate::lifecycle::Uid;
use crate::operator::{contained::Panicked, watch::stores::Watched};

/// Who waits, by the UID of the resource, and who may begin.
pub(in crate::operator) struct Waiting {
    entries: Mutex<HashMap<Uid, Entry>>,
    admitted: mpsc::UnboundedSender<ObjectRef<Watched>>,
}

/// What became of a resource that has to wait.
enum Entry {
    Waits,
    MayBegin(Admitted),
}

/// How a wait ended: without an admission no admin API would be asked.
pub(in crate::operator) type Admitted = Result<Option<Admission>, Panicked>;

impl Waiting {
    /// Whoever may begin is named in `admitted`.
    pub(in crate::operator) fn new(admitted: mpsc::UnboundedSender<ObjectRef<Watched>>) -> Self {
        Self { entries: Mutex::default(), admitted }
    }

    /// The admission of a resource that has waited long enough, for the one who asks.
    pub(in crate::operator) fn take(&self, uid: &Uid) -> Option<Admitted> {
        let mut entries = self.lock();
        match entries.remove(uid)? {
            Entry::MayBegin(admitted) => Some(admitted),
            Entry::Waits => {
                entries.insert(uid.clone(), Entry::Waits);
                None
            }
        }
    }

    /// The resource is gone: what was granted to it goes to the next.
    pub(in crate::operator) fn forget(&self, uid: &Uid) {
        let gone = self.lock().remove(uid);
        drop(gone);
    }

    /// Whether the resource waits already, or may begin.
    pub(in crate::operator) fn holds(&self, uid: &Uid) -> bool {
        self.lock().contains_key(uid)
    }

    /// The resource waits from now on.
    pub(in crate::operator) fn begin(&self, uid: &Uid) {
        self.lock().insert(uid.clone(), Entry::Waits);
    }

    /// The wait is over: the resource is reconciled again, unless it is gone.
    pub(in crate::operator) fn end(&self, uid: &Uid, resource: ObjectRef<Watched>, admitted: Admitted) {
        let mut entries = self.lock();
        let Some(entry) = entries.get_mut(uid) else {
            // A turn that ends is given to the next, who is noted here.
            drop(entries);
            return drop(admitted);
        };
        *entry = Entry::MayBegin(admitted);
        drop(entries);
        let _ = self.admitted.unbounded_send(resource);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uid, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt as _, StreamExt as _};

    use super::{
        super::turns::{Asking, Turns},
        *,
    };
    use crate::lifecycle::Urgency;

    fn resource() -> ObjectRef<Watched> {
        ObjectRef::new("payments").within("shop")
    }

    #[tokio::test]
    async fn who_has_waited_is_named_once_and_may_begin_once() {
        let (admitted, mut named) = mpsc::unbounded();
        let (waiting, uid) = (Waiting::new(admitted), &Uid::from("uid"));
        assert!(waiting.take(uid).is_none(), "nobody waits");
        waiting.begin(uid);
        assert!(waiting.holds(uid) && waiting.take(uid).is_none() && waiting.holds(uid), "it goes on waiting");
        waiting.end(uid, resource(), Ok(None));
        assert_eq!(named.next().now_or_never().flatten(), Some(resource()));
        assert!(waiting.take(uid).is_some() && waiting.take(uid).is_none());
        assert!(waiting.lock().is_empty(), "nothing is kept of what is over");
    }

    #[tokio::test]
    async fn what_is_granted_to_one_that_is_gone_goes_to_the_next() {
        let (admitted, mut named) = mpsc::unbounded();
        let (waiting, turns, uid) = (Waiting::new(admitted), Turns::default(), &Uid::from("uid"));
        let asking = Asking { admin_api: "api".to_owned(), limit: 1, namespace: "shop".to_owned(), urgency: Urgency::Change };
        let grant = || turns.try_take(&asking).map(|turn| Ok(Some(Admission { turn, preparation: None })));
        for is_late in [false, true] {
            waiting.begin(uid);
            let granted = grant().expect("a free turn");
            if is_late {
                waiting.forget(uid);
                waiting.end(uid, resource(), granted);
            } else {
                waiting.end(uid, resource(), granted);
                assert!(grant().is_none() && named.next().now_or_never().is_some(), "it is held until it is used");
                waiting.forget(uid);
            }
            assert!(turns.try_take(&asking).is_some(), "late: {is_late}");
        }
        assert!(waiting.lock().is_empty() && named.next().now_or_never().is_none(), "nothing is kept of what is over");
    }
}
