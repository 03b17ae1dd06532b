//! One remote set has one owner: of two resources that would write it, the older one does, and the other touches nothing.

use jiff::Timestamp;
use kube::ResourceExt as _;

use super::{
    access,
    desired::{Refusal, set_id},
};
use crate::api::{AdminApiSpec, JsonWebKeySet, Mode, Reason};

/// The name of the AdminApi of a resource that names none.
const DEFAULT_ADMIN_API: &str = "default";

/// The AdminApi that a resource uses.
pub fn admin_api_name(resource: &JsonWebKeySet) -> &str {
    resource.spec.admin_api_ref.as_ref().map_or(DEFAULT_ADMIN_API, |reference| &reference.name)
}

/// Whether `other` owns the set that `resource` claims too: it may write the same set of the same AdminApi, is granted it, and is older, or
/// has the smaller UID. Case is ignored, since MySQL ignores it. Until an owner is gone, its deletion is carried out first.
pub fn is_owned_by(resource: &JsonWebKeySet, other: &JsonWebKeySet, api: &AdminApiSpec) -> bool {
    let writes = |resource: &JsonWebKeySet| resource.spec.mode.unwrap_or_default() == Mode::Enforce;
    resource.metadata.uid != other.metadata.uid
        && writes(resource)
        && writes(other)
        && admin_api_name(resource) == admin_api_name(other)
        && claims_same_set(resource, other)
        && age(other) < age(resource)
        && access::is_granted(&api.access, &other.namespace().unwrap_or_default(), &set_id(other))
}

/// What decides between two claims: when the resource was created, then its UID.
pub fn age(resource: &JsonWebKeySet) -> (Option<Timestamp>, Option<&str>) {
    (resource.metadata.creation_timestamp.as_ref().map(|time| time.0), resource.metadata.uid.as_deref())
}

/// Whether two resources name the same set, whatever the case of the letters.
pub fn claims_same_set(one: &JsonWebKeySet, other: &JsonWebKeySet) -> bool {
    set_id(one).eq_ignore_ascii_case(&set_id(other))
}

/// What a resource is told whose set is `owner`'s. The owner is named only inside its own namespace.
pub fn conflict(resource: &JsonWebKeySet, owner: &JsonWebKeySet) -> Refusal {
    let who = if resource.namespace() == owner.namespace() {
        format!("JsonWebKeySet {}", owner.name_any())
    } else {
        "a JsonWebKeySet of another namespace".to_owned()
    };
    let message = format!("set {} is owned by {who}, which is older: name another set, or use mode Observe", set_id(resource));
    Refusal { reason: Reason::SetConflict, message }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;
    use crate::api::{AccessRule, AdminApiRef, JsonWebKeySetSpec, Namespaces};

    fn resource(namespace: &str, uid: &str, second: i64) -> JsonWebKeySet {
        let mut resource = JsonWebKeySet::new("payments", JsonWebKeySetSpec { set: Some("shop.Payments".into()), ..Default::default() });
        resource.metadata.namespace = Some(namespace.into());
        resource.metadata.uid = Some(uid.into());
        resource.metadata.creation_timestamp = Some(Time(Timestamp::from_second(second).expect("a time")));
        resource
    }

    fn everybody() -> AdminApiSpec {
        AdminApiSpec { access: vec![AccessRule { namespaces: None, sets: vec!["shop.*".into()] }], ..Default::default() }
    }

    #[test]
    fn the_older_one_owns_and_then_the_smaller_uid() {
        let (old, new, twin) = (resource("a", "2", 1), resource("b", "1", 2), resource("c", "3", 1));
        assert!(is_owned_by(&new, &old, &everybody()) && !is_owned_by(&old, &new, &everybody()));
        assert!(is_owned_by(&twin, &old, &everybody()) && !is_owned_by(&old, &twin, &everybody()));
        assert!(!is_owned_by(&old, &old, &everybody()));
    }

    #[test]
    fn case_makes_no_difference_and_another_admin_api_does() {
        let (old, mut new) = (resource("a", "2", 1), resource("b", "1", 2));
        new.spec.set = Some("SHOP.payments".into());
        assert!(is_owned_by(&new, &old, &everybody()));
        new.spec.admin_api_ref = Some(AdminApiRef { name: "other".into() });
        assert!(!is_owned_by(&new, &old, &everybody()));
    }

    #[test]
    fn whoever_may_not_write_owns_nothing() {
        let (mut old, new) = (resource("a", "2", 1), resource("b", "1", 2));
        let only_b = AccessRule { namespaces: Some(Namespaces { names: Some(vec!["b".into()]) }), sets: vec!["shop.*".into()] };
        assert!(!is_owned_by(&new, &old, &AdminApiSpec { access: vec![only_b], ..Default::default() }));
        old.spec.mode = Some(Mode::Observe);
        assert!(!is_owned_by(&new, &old, &everybody()));
    }

    #[test]
    fn an_owner_is_named_inside_its_namespace_only() {
        let (old, near, far) = (resource("a", "1", 1), resource("a", "2", 2), resource("b", "3", 3));
        assert!(conflict(&near, &old).message.contains("JsonWebKeySet payments"));
        assert!(!conflict(&far, &old).message.contains("payments,") && conflict(&far, &old).message.contains("another namespace"));
    }
}
