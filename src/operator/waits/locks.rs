//! One lock for each resource that is worked on: one at a time works on it. A lock exists while somebody holds it or waits for it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OwnedMutexGuard;

use crate::lifecycle::Uid;

/// The locks, by the UID of the resource.
#[derive(Default)]
pub(in crate::operator) struct Locks {
    used: Mutex<HashMap<Uid, Arc<tokio::sync::Mutex<()>>>>,
}

/// Somebody who waits for a lock, and holds it after that.
pub(in crate::operator) struct Lock<'locks> {
    locks: &'locks Locks,
    uid: Uid,
    held: Option<OwnedMutexGuard<()>>,
}

impl Locks {
    /// Waits until nobody else works on a resource.
    pub(in crate::operator) async fn lock(&self, uid: &Uid) -> Lock<'_> {
        let lock = self.lock_map().entry(uid.clone()).or_default().clone();
        // It exists before the wait, so that a wait that is dropped leaves nothing either.
        let mut waiting = Lock { locks: self, uid: uid.clone(), held: None };
        waiting.held = Some(lock.lock_owned().await);
        waiting
    }

    fn lock_map(&self) -> MutexGuard<'_, HashMap<Uid, Arc<tokio::sync::Mutex<()>>>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        let mut used = self.locks.lock_map();
        self.held = None;
        // Whoever holds it or waits for it has a reference of their own.
        if used.get(&self.uid).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            used.remove(&self.uid);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn nothing_is_kept_of_what_is_over() {
        let locks = Locks::default();
        let (a, b) = (Uid::from("a"), Uid::from("b"));
        let held = locks.lock(&a).now_or_never().expect("free");
        let mut next = Box::pin(locks.lock(&a));
        let mut gone = Box::pin(locks.lock(&a));
        assert!(next.as_mut().now_or_never().is_none() && gone.as_mut().now_or_never().is_none());
        assert!(locks.lock(&b).now_or_never().is_some(), "another resource");
        drop(held);
        drop(gone);
        let next = next.now_or_never().expect("free");
        assert!(locks.lock(&a).now_or_never().is_none(), "held");
        drop(next);
        assert!(locks.lock_map().is_empty());
    }
}
