//! Watches of one kind in the whole cluster or in some namespaces, as one stream that a store can be fed with.

use std::{collections::HashMap, fmt::Debug};

use futures::{
    Stream, StreamExt as _,
    stream::{self, BoxStream, select_all},
};
use k8s_openapi::{NamespaceResourceScope, api::core::v1::Namespace};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    core::{ObjectMeta, PartialObjectMeta},
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;

use super::metadata;

/// The events of one watch.
pub(super) type Events<K> = BoxStream<'static, watcher::Result<Event<K>>>;

/// Watches the objects of a kind: everywhere, or in these namespaces. What `keep` takes from their metadata is never stored.
pub(super) fn objects<K>(client: &Client, namespaces: &[String], config: &watcher::Config, keep: fn(&mut ObjectMeta)) -> Events<K>
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    <K as Resource>::DynamicType: Default,
{
    let apis = match namespaces {
        [] => vec![Api::all(client.clone())],
        some => some.iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect(),
    };
    merged(apis.into_iter().map(|api| pruned(watcher(api, config.clone()), keep)).collect())
}

/// Watches the namespaces themselves, as metadata: all, or these, each by its name.
pub(super) fn namespaces(client: &Client, namespaces: &[String]) -> Events<PartialObjectMeta<Namespace>> {
    let api = Api::<PartialObjectMeta<Namespace>>::all(client.clone());
    let configs = match namespaces {
        [] => vec![watcher::Config::default()],
        some => some.iter().map(|name| watcher::Config::default().fields(&format!("metadata.name={name}"))).collect(),
    };
    merged(configs.into_iter().map(|config| pruned(watcher(api.clone(), config), metadata::keep_labels)).collect())
}

/// The events of a watch without what is not kept. Whoever stores objects reads them from here.
pub(super) fn pruned<K>(events: impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static, keep: fn(&mut ObjectMeta)) -> Events<K>
where
    K: Resource + Send + 'static,
{
    events.default_backoff().modify(move |object| keep(object.meta_mut())).boxed()
}

/// One stream of several. A store takes what is listed anew for everything there is, so that one list of one watch must not look like that.
fn merged<K>(mut watches: Vec<Events<K>>) -> Events<K>
where
    K: Resource + Clone + Send + 'static,
{
    if watches.len() == 1
        && let Some(only) = watches.pop()
    {
        return only;
    }
    let mut merge = Merge::new(watches.len());
    let numbered = watches.into_iter().enumerate().map(|(number, events)| events.map(move |event| (number, event)).boxed());
    select_all(numbered)
        .flat_map(move |(number, event)| {
            stream::iter(match event {
                Ok(event) => merge.take(number, event).into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            })
        })
        .boxed()
}

type Objects<K> = HashMap<(Option<String>, String), K>;

/// What is known of each watch.
struct Merge<K> {
    watches: Vec<Watch<K>>,
    /// Whether every watch has listed once.
    is_listed: bool,
}

struct Watch<K> {
    known: Objects<K>,
    listing: Option<Objects<K>>,
    is_listed: bool,
}

impl<K: Resource + Clone> Merge<K> {
    fn new(count: usize) -> Self {
        let watches = (0..count).map(|_| Watch { known: HashMap::new(), listing: None, is_listed: false });
        Self { watches: watches.collect(), is_listed: false }
    }

    /// The events that an event of one watch is in the stream of all: nothing before all have listed, then all at once, then differences.
    fn take(&mut self, number: usize, event: Event<K>) -> Vec<Event<K>> {
        let watch = &mut self.watches[number];
        let mut told = Vec::new();
        match event {
            Event::Init => watch.listing = Some(HashMap::new()),
            Event::InitApply(object) => {
                watch.listing.get_or_insert_default().insert(key(&object), object.clone());
                told.push(Event::Apply(object));
            }
            Event::InitDone => {
                let listed = watch.listing.take().unwrap_or_default();
                let before = std::mem::replace(&mut watch.known, listed);
                watch.is_listed = true;
                told.extend(before.into_iter().filter(|(key, _)| !watch.known.contains_key(key)).map(|(_, object)| Event::Delete(object)));
            }
            Event::Apply(object) => {
                watch.known.insert(key(&object), object.clone());
                told.push(Event::Apply(object));
            }
            Event::Delete(object) => {
                watch.known.remove(&key(&object));
                told.push(Event::Delete(object));
            }
        }
        if self.is_listed {
            return told;
        }
        self.is_listed = self.watches.iter().all(|watch| watch.is_listed);
        if !self.is_listed {
            return Vec::new();
        }
        let all = self.watches.iter().flat_map(|watch| watch.known.values().cloned().map(Event::InitApply));
        std::iter::once(Event::Init).chain(all).chain([Event::InitDone]).collect()
    }
}

fn key<K: Resource>(object: &K) -> (Option<String>, String) {
    (object.namespace(), object.name_any())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::runtime::reflector;
    use proptest::prelude::*;

    use super::*;

    fn object(namespace: usize, name: u8) -> ConfigMap {
        let mut map = ConfigMap::default();
        map.metadata.namespace = Some(format!("namespace-{namespace}"));
        map.metadata.name = Some(format!("name-{name}"));
        map
    }

    /// What happens in one namespace: all of it is listed anew, or one object comes or goes.
    #[derive(Clone, Debug)]
    enum Change {
        Relisted(BTreeSet<u8>),
        Came(u8),
        Went(u8),
    }

    fn changes() -> impl Strategy<Value = Vec<(usize, Change)>> {
        let change = prop_oneof![
            proptest::collection::btree_set(0..4u8, 0..4).prop_map(Change::Relisted),
            (0..4u8).prop_map(Change::Came),
            (0..4u8).prop_map(Change::Went),
        ];
        proptest::collection::vec((0..3usize, change), 0..40)
    }

    proptest! {
        /// A store that is fed with the one stream holds what there is in all namespaces, from when each was listed.
        #[test]
        fn the_store_holds_what_there_is(changes in changes()) {
            let mut merge = Merge::new(3);
            let (store, mut writer) = reflector::store::<ConfigMap>();
            let mut there: Vec<Option<BTreeSet<u8>>> = vec![None; 3];
            for (namespace, change) in changes {
                // A watch begins with a list.
                let change = match change {
                    Change::Came(_) | Change::Went(_) if there[namespace].is_none() => Change::Relisted(BTreeSet::new()),
                    change => change,
                };
                let held = there[namespace].get_or_insert_default();
                let events = match change {
                    Change::Relisted(names) => {
                        *held = names.clone();
                        let listed = names.into_iter().map(|name| Event::InitApply(object(namespace, name)));
                        std::iter::once(Event::Init).chain(listed).chain([Event::InitDone]).collect()
                    }
                    Change::Came(name) => {
                        held.insert(name);
                        vec![Event::Apply(object(namespace, name))]
                    }
                    Change::Went(name) => {
                        held.remove(&name);
                        vec![Event::Delete(object(namespace, name))]
                    }
                };
                for event in events {
                    for told in merge.take(namespace, event) {
                        writer.apply_watcher_event(&told);
                    }
                }
                if there.iter().all(Option::is_some) {
                    let mut wanted: Vec<_> = there.iter().enumerate().flat_map(|(namespace, names)| {
                        names.iter().flatten().map(move |name| key(&object(namespace, *name)))
                    }).collect();
                    let mut found: Vec<_> = store.state().iter().map(|object| key(object.as_ref())).collect();
                    wanted.sort();
                    found.sort();
                    prop_assert_eq!(found, wanted);
                } else {
                    prop_assert!(store.state().is_empty());
                }
            }
        }
    }
}
