//! Events of a watch that change what matters of an object.

use std::collections::HashMap;

use futures::{Stream, StreamExt as _, future};
use kube::{
    Resource,
    runtime::{
        utils::Predicate,
        watcher::{self, Event},
    },
};

use crate::lifecycle::Uid;

/// The objects whose `property` is not what it was, and those that are gone. kube's own filter keeps what is gone for hours.
pub(super) fn changed<K: Resource>(
    events: impl Stream<Item = watcher::Result<Event<K>>>,
    property: impl Predicate<K>,
) -> impl Stream<Item = watcher::Result<K>> {
    let mut seen = Seen::default();
    events.filter_map(move |event| future::ready(event.map(|event| seen.take(event, &property)).transpose()))
}

/// The property of each object, by UID.
#[derive(Default)]
struct Seen(HashMap<Uid, Option<u64>>);

impl Seen {
    fn take<K: Resource>(&mut self, event: Event<K>, property: &impl Predicate<K>) -> Option<K> {
        match event {
            Event::Apply(object) | Event::InitApply(object) => {
                let found = property.hash_property(&object);
                let before = self.0.insert(Uid::of(&object), found);
                (before.is_none_or(|before| before != found || found.is_none())).then_some(object)
            }
            Event::Delete(object) => {
                self.0.remove(&Uid::of(&object));
                Some(object)
            }
            // Whatever was listed before is listed again.
            Event::Init => {
                self.0.clear();
                None
            }
            Event::InitDone => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Namespace;
    use kube::runtime::predicates;

    use super::*;

    fn namespace(uid: &str, tier: &str) -> Namespace {
        let mut namespace = Namespace::default();
        namespace.metadata.uid = Some(uid.to_owned());
        namespace.metadata.labels = Some([("tier".to_owned(), tier.to_owned())].into());
        namespace
    }

    #[test]
    fn nothing_is_kept_of_what_is_over() {
        let mut seen = Seen::default();
        let mut passes = |event| seen.take(event, &predicates::labels).is_some();
        assert!(passes(Event::InitApply(namespace("a", "one"))) && passes(Event::Apply(namespace("b", "one"))));
        assert!(!passes(Event::Apply(namespace("a", "one"))) && passes(Event::Apply(namespace("a", "two"))));
        assert!(passes(Event::Delete(namespace("a", "two"))), "its queue entry goes now, and not when it would have been due");
        assert!(passes(Event::Delete(namespace("b", "one"))));
        assert!(seen.0.is_empty());
    }
}
