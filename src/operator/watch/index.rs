//! Finds the objects of a store by what they say, so that no pass looks at all of them. The idea is that of client-go's indexers.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kube::{
    Resource,
    core::PartialObjectMeta,
    runtime::{
        reflector::{Lookup, ObjectRef, Store},
        watcher::Event,
    },
};

use super::{metadata, stores::Watched};
use crate::{
    api::JsonWebKeySet,
    lifecycle::{SetId, Uid},
};

/// Which objects of a store match a term.
///
/// Each event is noted before it is stored, by the same task: nobody sees the store between the two.
pub(in crate::operator) struct Index<K, T> {
    terms: fn(&K) -> Vec<T>,
    entries: Mutex<BTreeSet<(T, ObjectKey)>>,
}

/// Namespace and name of an object.
type ObjectKey = (Box<str>, Box<str>);

/// What JsonWebKeySets are looked for by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::operator) enum SetTerm {
    /// Those that name this set in `spec.set`.
    Names(SetId),
    /// Those of a namespace.
    InNamespace,
    /// Those that import from a Secret of this name.
    Imports(Box<str>),
    /// Those that cannot be read as what their schema says.
    Unreadable,
}

/// What targets are looked for by: a hash of the UID of their controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::operator) struct Controller(u64);

impl<K, T> Index<K, T>
where
    K: Resource<DynamicType = ()> + Lookup<DynamicType = ()> + Clone + 'static,
    T: Ord + Clone,
{
    fn new(terms: fn(&K) -> Vec<T>) -> Self {
        Self { terms, entries: Mutex::default() }
    }

    /// Notes what an event says of an object that `store` has as it was before.
    pub(in crate::operator) fn note(&self, event: &Event<K>, store: &Store<K>) {
        let (object, is_gone) = match event {
            Event::Apply(object) | Event::InitApply(object) => (object, false),
            Event::Delete(object) => (object, true),
            Event::Init | Event::InitDone => return,
        };
        let before = store.get(&ObjectRef::from_obj(object));
        let mut entries = self.lock();
        for term in before.iter().flat_map(|before| (self.terms)(before)) {
            entries.remove(&(term, key(object)));
        }
        if !is_gone {
            entries.extend((self.terms)(object).into_iter().map(|term| (term, key(object))));
        }
    }

    /// The objects of a namespace that match a term.
    pub(in crate::operator) fn of_namespace(&self, term: &T, namespace: &str, store: &Store<K>) -> Vec<Arc<K>> {
        self.matching(term, (namespace.into(), Box::default()), |(within, _)| **within == *namespace, store)
    }

    /// The objects that match a term, wherever they are.
    pub(in crate::operator) fn all(&self, term: &T, store: &Store<K>) -> Vec<Arc<K>> {
        self.matching(term, ObjectKey::default(), |_| true, store)
    }

    /// Those that match a term, from the first key on for as long as the keys are meant.
    fn matching(&self, term: &T, first: ObjectKey, is_meant: impl Fn(&ObjectKey) -> bool, store: &Store<K>) -> Vec<Arc<K>> {
        let entries = self.lock();
        let found = entries.range((term.clone(), first)..).take_while(|(other, key)| other == term && is_meant(key));
        found.filter_map(|(_, key)| get(key, store)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<(T, ObjectKey)>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index<Watched, SetTerm> {
    /// An index of the resources.
    pub(in crate::operator) fn of_sets() -> Self {
        Self::new(|resource| match &resource.0 {
            Err(_) => vec![SetTerm::InNamespace, SetTerm::Unreadable],
            Ok(resource) => [SetTerm::InNamespace].into_iter().chain(named(resource)).chain(imports(resource)).collect(),
        })
    }

    /// The resources that could name a set by any AdminApi, and those that cannot be read, which may name any.
    pub(in crate::operator) fn could_name(&self, set: &SetId, store: &Store<Watched>) -> Vec<Arc<Watched>> {
        let mut found = self.all(&SetTerm::Names(set.clone()), store);
        found.extend(self.all(&SetTerm::Unreadable, store));
        // Without a name of its own it is known by where the resource is, behind whatever prefix: its key in the store. Names of objects are in
        // lower case.
        let set = set.as_str().to_ascii_lowercase();
        let suffixes = set.char_indices().filter_map(|(start, _)| set.get(start..)?.split_once('.'));
        let by_default = suffixes.filter_map(|(namespace, name)| get(&(namespace.into(), name.into()), store));
        found.extend(by_default.filter(|resource| resource.0.as_ref().is_ok_and(|resource| resource.spec.set.is_none())));
        found
    }
}

impl<K> Index<PartialObjectMeta<K>, Controller>
where
    PartialObjectMeta<K>: Resource<DynamicType = ()> + Lookup<DynamicType = ()> + Clone + 'static,
{
    /// An index of targets of one kind.
    pub(in crate::operator) fn of_targets() -> Self {
        Self::new(|target| metadata::controller_uid(&target.metadata).as_ref().map(Controller::of).into_iter().collect())
    }
}

impl Controller {
    /// That of the resource with this UID, and of few others: whoever looks compares the UID itself too.
    pub(in crate::operator) fn of(uid: &Uid) -> Self {
        let mut hasher = DefaultHasher::new();
        uid.hash(&mut hasher);
        Self(hasher.finish())
    }
}

fn named(resource: &JsonWebKeySet) -> Option<SetTerm> {
    resource.spec.set.as_deref().map(|set| SetTerm::Names(set.into()))
}

fn imports(resource: &JsonWebKeySet) -> impl Iterator<Item = SetTerm> {
    let imports = resource.spec.keys.iter().filter_map(|entry| entry.import.as_ref());
    imports.map(|import| SetTerm::Imports(import.secret_ref.name.as_str().into()))
}

fn key<K: Resource>(object: &K) -> ObjectKey {
    let metadata = object.meta();
    (metadata.namespace.as_deref().unwrap_or_default().into(), metadata.name.as_deref().unwrap_or_default().into())
}

fn get<K>((namespace, name): &ObjectKey, store: &Store<K>) -> Option<Arc<K>>
where
    K: Lookup<DynamicType = ()> + Clone + 'static,
{
    store.get(&ObjectRef::new(name).within(namespace))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::OwnerReference};
    use kube::{
        core::{DeserializeGuard, error_boundary::InvalidObject},
        runtime::reflector::store,
    };
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::lifecycle::spec::claim;

    const NAMES: [&str; 4] = ["payments", "shop.payments", "eu.shop", "payments.shop"];
    const NAMESPACES: [&str; 3] = ["shop", "eu", "payments"];
    const SETS: [&str; 6] = ["shop.payments", "SHOP.Payments", "eu:shop.payments", "eu.shop.payments", "payments", ""];

    /// What happens to one resource: what its spec names, whether it can be read, whether it goes.
    #[derive(Clone, Debug)]
    enum Now {
        Reads { set: Option<usize>, import: Option<usize> },
        Unreadable,
        Gone,
    }

    fn now() -> impl Strategy<Value = Now> {
        prop_oneof![
            4 => (proptest::option::of(0..SETS.len()), proptest::option::of(0..NAMES.len())).prop_map(|(set, import)| Now::Reads { set, import }),
            1 => Just(Now::Unreadable),
            1 => Just(Now::Gone),
        ]
    }

    fn resource(namespace: &str, name: &str, now: &Now) -> Watched {
        let object = |spec| {
            json!({ "apiVersion": "jwk-operator.dev/v1alpha1", "kind": "JsonWebKeySet",
            "metadata": { "namespace": namespace, "name": name }, "spec": spec })
        };
        let read = |spec| serde_json::from_value::<JsonWebKeySet>(object(spec)).expect("a resource");
        match now {
            Now::Reads { set, import } => {
                let mut spec = json!({ "set": set.map(|set| SETS[set]), "keys": [] });
                if let Some(import) = import {
                    spec["keys"] = json!([{ "name": "a", "import": { "secretRef": { "name": NAMES[*import] } } }]);
                }
                DeserializeGuard(Ok(read(spec)))
            }
            Now::Unreadable | Now::Gone => {
                let metadata = read(json!({ "keys": [] })).metadata;
                DeserializeGuard(Err(InvalidObject { error: "?".to_owned(), metadata }))
            }
        }
    }

    fn keys(found: &[Arc<Watched>]) -> BTreeSet<ObjectKey> {
        let keys: BTreeSet<_> = found.iter().map(|found| key(found.as_ref())).collect();
        assert_eq!(keys.len(), found.len(), "each is found once");
        keys
    }

    proptest! {
        /// Whatever came, changed and went: the index finds what a look at every resource would.
        #[test]
        fn it_finds_what_a_look_at_all_finds(
            events in proptest::collection::vec((0..NAMESPACES.len(), 0..NAMES.len(), now()), 0..40),
            listed in 0..20usize,
        ) {
            let (sets, mut writer) = store::<Watched>();
            let index = Index::of_sets();
            let mut apply = |event| {
                index.note(&event, &sets);
                writer.apply_watcher_event(&event);
            };
            let (first, later) = events.split_at(listed.min(events.len()));
            apply(Event::Init);
            let mut seen = BTreeSet::new();
            for (namespace, name, now) in first.iter().rev().filter(|(namespace, name, _)| seen.insert((*namespace, *name))) {
                if !matches!(now, Now::Gone) {
                    apply(Event::InitApply(resource(NAMESPACES[*namespace], NAMES[*name], now)));
                }
            }
            apply(Event::InitDone);
            for (namespace, name, now) in later {
                let object = resource(NAMESPACES[*namespace], NAMES[*name], now);
                apply(if matches!(now, Now::Gone) { Event::Delete(object) } else { Event::Apply(object) });
            }
            let look = |is_meant: &dyn Fn(&Watched) -> bool| keys(&sets.state_filter(|set| is_meant(set)));
            for set in SETS.map(SetId::from) {
                let is_meant = |found: &Watched| found.0.as_ref().map_or(true, |found| claim::could_name(found, &set));
                prop_assert_eq!(keys(&index.could_name(&set, &sets)), look(&is_meant), "{}", set);
            }
            for namespace in NAMESPACES {
                let is_there = |found: &Watched| found.meta().namespace.as_deref() == Some(namespace);
                prop_assert_eq!(keys(&index.of_namespace(&SetTerm::InNamespace, namespace, &sets)), look(&is_there));
                for secret in NAMES {
                    let imports = |found: &JsonWebKeySet| found.spec.keys.iter().any(|key| key.import.as_ref().is_some_and(|import| import.secret_ref.name == secret));
                    let is_meant = |found: &Watched| is_there(found) && found.0.as_ref().is_ok_and(imports);
                    prop_assert_eq!(keys(&index.of_namespace(&SetTerm::Imports(secret.into()), namespace, &sets)), look(&is_meant));
                }
            }
            for gone in sets.state() {
                apply(Event::Delete(gone.as_ref().clone()));
            }
            prop_assert!(index.lock().is_empty(), "nothing is kept of what is gone");
        }
    }

    #[test]
    fn a_target_is_found_by_its_controller_of_now() {
        let (maps, mut writer) = store::<PartialObjectMeta<ConfigMap>>();
        let index = Index::of_targets();
        let target = |controller: &str| {
            let mut target = PartialObjectMeta::<ConfigMap>::default();
            target.metadata.name = Some("jwks".to_owned());
            target.metadata.namespace = Some("shop".to_owned());
            let owner = OwnerReference { uid: controller.to_owned(), controller: Some(true), ..OwnerReference::default() };
            target.metadata.owner_references = Some(vec![owner]);
            target
        };
        let mut apply = |event| {
            index.note(&event, &maps);
            writer.apply_watcher_event(&event);
        };
        let found = |uid: &str| index.all(&Controller::of(&uid.into()), &maps).len();
        [Event::Init, Event::InitApply(target("one")), Event::InitDone].into_iter().for_each(&mut apply);
        assert_eq!((found("one"), found("two")), (1, 0));
        apply(Event::Apply(target("two")));
        assert_eq!((found("one"), found("two")), (0, 1));
        apply(Event::Delete(target("two")));
        assert_eq!(found("two"), 0);
        assert!(index.lock().is_empty());
    }
}
