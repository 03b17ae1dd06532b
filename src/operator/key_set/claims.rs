//! Who may claim a set: the AdminApi and the namespace of each resource, as they are watched. Which claim wins is decided by `lifecycle`.

use std::sync::Arc;

use kube::{ResourceExt as _, core::DeserializeGuard, runtime::reflector::ObjectRef};

use super::unparsable;
use crate::operator::context::Context;
use crate::{
    api::{AdminApi, JsonWebKeySet},
    lifecycle::{
        Granting, SetId, SpecRefusal,
        spec::{
            access::Labels,
            claim::{self, Claimant},
        },
    },
};

/// What a resource is judged by.
pub(in crate::operator) struct Surroundings {
    admin_api: Option<Arc<DeserializeGuard<AdminApi>>>,
    labels: Option<Labels>,
}

impl Surroundings {
    /// Those of a resource, as they are watched.
    pub(in crate::operator) fn of(resource: &JsonWebKeySet, cx: &Context) -> Self {
        Self {
            admin_api: cx.stores.admin_apis.get(&ObjectRef::<DeserializeGuard<AdminApi>>::new(claim::admin_api_name(resource))),
            labels: cx.labels(&resource.namespace().unwrap_or_default()),
        }
    }

    /// The AdminApi, an error if it cannot be read, `None` if there is none.
    pub(in crate::operator) fn admin_api(&self) -> Option<Result<&AdminApi, ()>> {
        self.admin_api.as_ref().map(|guard| guard.0.as_ref().map_err(|_| ()))
    }

    /// The AdminApi, as far as a grant can be read from it.
    pub(in crate::operator) fn granting(&self) -> Granting<'_> {
        match self.admin_api() {
            None => Granting::Nothing,
            Some(Err(())) => Granting::Unreadable,
            Some(Ok(admin_api)) => Granting::Rules(&admin_api.spec),
        }
    }

    /// The labels of the namespace; `None` while the namespace was not seen yet.
    pub(in crate::operator) fn labels(&self) -> Option<&Labels> {
        self.labels.as_ref()
    }

    /// The resource as one that may claim a set; `None` if there is no AdminApi by which it could.
    pub(in crate::operator) fn claimant<'world>(&'world self, resource: &'world JsonWebKeySet) -> Option<Claimant<'world>> {
        let admin_api = self.admin_api()?;
        Some(Claimant { resource, api: admin_api.ok().map(|admin_api| &admin_api.spec), labels: self.labels() })
    }
}

/// The refusal of a resource whose set an older one owns.
pub(in crate::operator) fn conflict(resource: &JsonWebKeySet, surroundings: &Surroundings, cx: &Context) -> Option<SpecRefusal> {
    let claimant = surroundings.claimant(resource)?;
    let set = claimant.set();
    let others = cx.set_index.could_name(&set, &cx.stores.sets);
    let owners = others.iter().filter(|other| is_owner(&claimant, &set, other, cx)).filter_map(|owner| readable(owner, cx));
    let departed = cx.departed.open().into_iter().filter(|other| owns(&claimant, &set, other, cx));
    let owners = owners.chain(departed.map(|departed| departed.as_ref().clone()));
    let oldest = owners.min_by(|one, other| claim::age(one).cmp(&claim::age(other)))?;
    Some(claim::conflict(resource, &set, &oldest))
}

fn is_owner(claimant: &Claimant<'_>, set: &SetId, other: &DeserializeGuard<JsonWebKeySet>, cx: &Context) -> bool {
    match &other.0 {
        Ok(other) => owns(claimant, set, other, cx),
        // A resource that cannot be read owns what it owned.
        Err(invalid) => unparsable::claim(invalid, cx).is_some_and(|other| owns(claimant, set, &other, cx)),
    }
}

fn owns(claimant: &Claimant<'_>, set: &SetId, other: &JsonWebKeySet, cx: &Context) -> bool {
    if !claim::could_name(other, set) {
        return false;
    }
    let surroundings = Surroundings::of(other, cx);
    surroundings.claimant(other).is_some_and(|other| claim::is_owned_by(claimant, &other))
}

fn readable(other: &DeserializeGuard<JsonWebKeySet>, cx: &Context) -> Option<JsonWebKeySet> {
    match &other.0 {
        Ok(other) => Some(other.clone()),
        Err(invalid) => unparsable::claim(invalid, cx).map(|claim| claim.as_ref().clone()),
    }
}

/// The resources that name the same set as one that is gone.
pub(in crate::operator) fn rivals(gone: &JsonWebKeySet, cx: &Context) -> Vec<Arc<DeserializeGuard<JsonWebKeySet>>> {
    let surroundings = Surroundings::of(gone, cx);
    let Some(claimant) = surroundings.claimant(gone) else { return Vec::new() };
    let set = claimant.set();
    let is_rival = |other: &JsonWebKeySet| {
        if !claim::could_name(other, &set) {
            return false;
        }
        let surroundings = Surroundings::of(other, cx);
        surroundings.claimant(other).is_some_and(|other| claim::claims_same_set(&claimant, &other))
    };
    let others = cx.set_index.could_name(&set, &cx.stores.sets).into_iter();
    others.filter(|other| other.0.as_ref().is_ok_and(is_rival)).collect()
}
