//! Watches of one kind in the whole cluster or in some namespaces, as one stream that a store can be fed with.
//!
//! A watch that was interrupted may list everything again. What is missing then, the watch tells nothing of: it is found by a comparison with
//! the store.

use std::{
    collections::{HashMap, HashSet},
    fmt::Debug,
    time::Duration,
};

use futures::{
    Stream, StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream, select_all},
};
use k8s_openapi::{NamespaceResourceScope, api::core::v1::Namespace};
use kube::{
    Api, Client, Resource,
    core::{ObjectMeta, PartialObjectMeta},
    runtime::{
        WatchStreamExt as _,
        reflector::{ObjectRef, Store},
        utils::Backoff,
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;

use super::metadata;

/// The events of one watch.
pub(in crate::operator) type Events<K> = BoxStream<'static, watcher::Result<Event<K>>>;

/// An event, and how it is known.
pub(in crate::operator) enum Seen<K> {
    /// The watch says so.
    Event(Event<K>),
    /// The object is missing in a new list. Its last state is not known, only the last one that was seen.
    Vanished(K),
}

impl<K> From<Seen<K>> for Event<K> {
    fn from(seen: Seen<K>) -> Self {
        match seen {
            Seen::Event(event) => event,
            Seen::Vanished(object) => Self::Delete(object),
        }
    }
}

/// The pause of a queue after an error of one of its watches: none. Each watch pauses by itself, and must not hold up the others.
pub(in crate::operator) struct NoPause;

impl Iterator for NoPause {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(Duration::ZERO)
    }
}

impl Backoff for NoPause {
    fn reset(&mut self) {}
}

/// Watches the objects of a kind: everywhere, or in these namespaces. What `keep` takes from their metadata is never stored. The events must
/// be stored in `store`.
pub(in crate::operator) fn seen<K>(
    client: &Client,
    namespaces: &[String],
    config: &watcher::Config,
    keep: fn(&mut ObjectMeta),
    store: Store<K>,
) -> BoxStream<'static, watcher::Result<Seen<K>>>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let watch = |api| pruned(watcher(api, config.clone()), keep);
    let watches = match namespaces {
        [] => vec![(None, watch(Api::all(client.clone())))],
        some => some.iter().map(|name| (Some(name.clone()), watch(Api::namespaced(client.clone(), name)))).collect(),
    };
    merged(watches, store)
}

/// The same where it makes no difference how an event is known.
pub(in crate::operator) fn objects<K>(
    client: &Client,
    namespaces: &[String],
    config: &watcher::Config,
    keep: fn(&mut ObjectMeta),
    store: Store<K>,
) -> Events<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    seen(client, namespaces, config, keep, store).map_ok(Event::from).boxed()
}

/// Watches the objects of a kind that has no namespaces.
pub(in crate::operator) fn cluster_objects<K>(api: Api<K>, keep: fn(&mut ObjectMeta), store: Store<K>) -> Events<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    merged(vec![(None, pruned(watcher(api, watcher::Config::default()), keep))], store).map_ok(Event::from).boxed()
}

/// Watches the namespaces themselves, as metadata: all, or these, each by its name.
pub(in crate::operator) fn namespaces(
    client: &Client,
    namespaces: &[String],
    store: Store<PartialObjectMeta<Namespace>>,
) -> Events<PartialObjectMeta<Namespace>> {
    let api = Api::<PartialObjectMeta<Namespace>>::all(client.clone());
    let watch = |config| pruned(watcher(api.clone(), config), metadata::keep_labels);
    let watches = match namespaces {
        [] => vec![(None, watch(watcher::Config::default()))],
        some => {
            let named = |name: &String| watcher::Config::default().fields(&format!("metadata.name={name}"));
            some.iter().map(|name| (Some(name.clone()), watch(named(name)))).collect()
        }
    };
    merged(watches, store).map_ok(Event::from).boxed()
}

/// The events of a watch without what is not kept. Whoever stores objects reads them from here.
fn pruned<K>(events: impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static, keep: fn(&mut ObjectMeta)) -> Events<K>
where
    K: Resource + Send + 'static,
{
    events.default_backoff().modify(move |object| keep(object.meta_mut())).boxed()
}

/// One stream of several watches, each with the namespace that it is limited to. A store takes what is listed anew for everything there is, so
/// that one list of one watch must not look like that.
fn merged<K>(watches: Vec<(Option<String>, Events<K>)>, store: Store<K>) -> BoxStream<'static, watcher::Result<Seen<K>>>
where
    K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
{
    let (scopes, watches): (Vec<_>, Vec<_>) = watches.into_iter().unzip();
    let mut merge = Merge::new(scopes, store);
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

/// Namespace and name.
type Key = (Option<String>, String);

/// What is known of each watch.
struct Merge<K: Resource<DynamicType = ()> + 'static> {
    watches: Vec<Watch>,
    store: Store<K>,
    /// What was listed while other watches had not listed yet; `None` once all have.
    held_back: Option<HashMap<Key, K>>,
}

struct Watch {
    /// The namespace that it is limited to.
    scope: Option<String>,
    listing: Option<HashSet<Key>>,
    is_listed: bool,
}

impl<K: Resource<DynamicType = ()> + Clone> Merge<K> {
    fn new(scopes: Vec<Option<String>>, store: Store<K>) -> Self {
        let held_back = (scopes.len() > 1).then(HashMap::new);
        let watches = scopes.into_iter().map(|scope| Watch { scope, listing: None, is_listed: false });
        Self { watches: watches.collect(), store, held_back }
    }

    /// The events that an event of one watch is in the stream of all: nothing before all have listed, then all at once, then differences.
    fn take(&mut self, number: usize, event: Event<K>) -> Vec<Seen<K>> {
        let is_alone = self.watches.len() == 1;
        let watch = &mut self.watches[number];
        if is_alone && !watch.is_listed {
            watch.is_listed = matches!(event, Event::InitDone);
            return vec![Seen::Event(event)];
        }
        match event {
            Event::Init => {
                watch.listing = Some(HashSet::new());
                Vec::new()
            }
            Event::InitApply(object) => {
                watch.listing.get_or_insert_default().insert(key(object.meta()));
                self.applied(object)
            }
            Event::InitDone => self.listed(number),
            Event::Apply(object) => self.applied(object),
            Event::Delete(object) => match &mut self.held_back {
                Some(held_back) => {
                    held_back.remove(&key(object.meta()));
                    Vec::new()
                }
                None => vec![Seen::Event(Event::Delete(object))],
            },
        }
    }

    fn applied(&mut self, object: K) -> Vec<Seen<K>> {
        if let Some(held_back) = &mut self.held_back {
            held_back.insert(key(object.meta()), object);
            return Vec::new();
        }
        // One that was deleted and made again while nobody watched.
        let replaced = self.store.get(&ObjectRef::from_obj(&object)).filter(|before| before.meta().uid != object.meta().uid);
        let replaced = replaced.map(|before| Seen::Vanished(before.as_ref().clone()));
        replaced.into_iter().chain([Seen::Event(Event::Apply(object))]).collect()
    }

    fn listed(&mut self, number: usize) -> Vec<Seen<K>> {
        let watch = &mut self.watches[number];
        let listing = watch.listing.take().unwrap_or_default();
        watch.is_listed = true;
        let is_missing = |key: &Key| watch.covers(key) && !listing.contains(key);
        let Some(held_back) = &mut self.held_back else {
            let vanished = self.store.state_filter(|object| is_missing(&key(object.meta())));
            return vanished.into_iter().map(|object| Seen::Vanished(object.as_ref().clone())).collect();
        };
        held_back.retain(|key, _| !is_missing(key));
        if !self.watches.iter().all(|watch| watch.is_listed) {
            return Vec::new();
        }
        let all = self.held_back.take().unwrap_or_default().into_values().map(Event::InitApply);
        std::iter::once(Event::Init).chain(all).chain([Event::InitDone]).map(Seen::Event).collect()
    }
}

impl Watch {
    fn covers(&self, (namespace, name): &Key) -> bool {
        self.scope.as_ref().is_none_or(|scope| scope == namespace.as_ref().unwrap_or(name))
    }
}

fn key(metadata: &ObjectMeta) -> Key {
    (metadata.namespace.clone(), metadata.name.clone().unwrap_or_default())
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
        fn the_store_holds_what_there_is(changes in changes(), count in 1..=3usize) {
            let (store, mut writer) = reflector::store::<ConfigMap>();
            let mut merge = Merge::new((0..count).map(|number| (count > 1).then(|| format!("namespace-{number}"))).collect(), store.clone());
            let mut there: Vec<Option<BTreeSet<u8>>> = vec![None; count];
            for (namespace, change) in changes.into_iter().filter(|(namespace, _)| *namespace < count) {
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
                        writer.apply_watcher_event(&told.into());
                    }
                }
                if there.iter().all(Option::is_some) {
                    let mut wanted: Vec<_> = there.iter().enumerate().flat_map(|(namespace, names)| {
                        names.iter().flatten().map(move |name| key(&object(namespace, *name).metadata))
                    }).collect();
                    let mut found: Vec<_> = store.state().iter().map(|object| key(&object.metadata)).collect();
                    wanted.sort();
                    found.sort();
                    prop_assert_eq!(found, wanted);
                } else {
                    prop_assert!(store.state().is_empty());
                }
            }
        }
    }

    fn vanished(told: Vec<Seen<ConfigMap>>) -> Vec<Option<String>> {
        told.into_iter().filter_map(|seen| if let Seen::Vanished(object) = seen { Some(object.metadata.uid) } else { None }).collect()
    }

    #[test]
    fn what_is_missing_after_a_gap_is_told_from_what_the_watch_saw_go() {
        for count in [1, 2] {
            let (store, mut writer) = reflector::store::<ConfigMap>();
            let mut merge = Merge::new((0..count).map(|number| (count > 1).then(|| format!("namespace-{number}"))).collect(), store);
            let mut take = |number: usize, event: Event<ConfigMap>| {
                let told = merge.take(number, event);
                told.iter().for_each(|seen| {
                    if let Seen::Event(event) = seen {
                        writer.apply_watcher_event(event);
                    }
                });
                told
            };
            let made = |name: u8, uid: &str| {
                let mut made = object(0, name);
                made.metadata.uid = Some(uid.to_owned());
                made
            };
            let first = (0..count).flat_map(|number| [(number, Event::Init), (number, Event::InitDone)]);
            first.for_each(|(number, event)| drop(take(number, event)));
            for (name, uid) in [(1, "one"), (2, "two"), (3, "three")] {
                take(0, Event::Apply(made(name, uid)));
            }
            let seen = take(0, Event::Delete(made(1, "one")));
            assert!(matches!(seen.as_slice(), [Seen::Event(Event::Delete(_))]), "the watch saw it go");
            take(0, Event::Init);
            let replaced = take(0, Event::InitApply(made(2, "another")));
            assert_eq!(vanished(replaced), [Some("two".to_owned())], "made again in the gap");
            assert_eq!(vanished(take(0, Event::InitDone)), [Some("three".to_owned())]);
        }
    }
}
