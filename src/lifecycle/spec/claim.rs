//! One remote set has one owner: of two resources that would write it, the older one does, and the other touches nothing.

use jiff::Timestamp;
use kube::ResourceExt as _;
use url::Url;

use super::{
    access::{self, Labels},
    names::set_id,
    refusal::SpecRefusal,
};
use crate::api::{AdminApiSpec, JsonWebKeySet, Mode, Reason};
use crate::lifecycle::set_id::SetId;

/// The name of the AdminApi of a resource that names none.
const DEFAULT_ADMIN_API: &str = "default";

/// The AdminApi that a resource uses.
pub fn admin_api_name(resource: &JsonWebKeySet) -> &str {
    resource.spec.admin_api_ref.as_ref().map_or(DEFAULT_ADMIN_API, |reference| &reference.name)
}

/// A resource that may claim a set, with what decides whether it does.
#[derive(Clone, Copy, Debug)]
pub struct Claimant<'world> {
    /// The resource.
    pub resource: &'world JsonWebKeySet,
    /// The AdminApi that it names; `None` if that cannot be read, and may reach any server and grant anything.
    pub api: Option<&'world AdminApiSpec>,
    /// The labels of its namespace, as far as they are known.
    pub labels: Option<&'world Labels>,
}

impl Claimant<'_> {
    /// The id of the set.
    pub fn set(&self) -> SetId {
        set_id(self.resource, self.api)
    }

    fn writes(&self) -> bool {
        self.resource.spec.mode.unwrap_or_default() == Mode::Enforce
    }

    fn may_write(&self) -> bool {
        let namespace = self.resource.namespace().unwrap_or_default();
        self.api.is_none_or(|api| access::grant(api, &namespace, self.labels, &self.set()).is_some_and(|grant| grant.mode == Mode::Enforce))
    }

    fn reaches_server_of(&self, other: &Self) -> bool {
        match (self.api, other.api) {
            (Some(one), Some(two)) => server(one) == server(two),
            _ => true,
        }
    }
}

/// Whether `other` owns the set that `resource` claims too: it may write the same set of the same server, through whichever AdminApi, is
/// granted it, and is older, or has the smaller UID. Case is ignored, since MySQL ignores it. Until an owner is gone, its deletion is carried
/// out first.
pub fn is_owned_by(resource: &Claimant<'_>, other: &Claimant<'_>) -> bool {
    resource.resource.metadata.uid != other.resource.metadata.uid
        && resource.writes()
        && other.writes()
        && claims_same_set(resource, other)
        && age(other.resource) < age(resource.resource)
        && resource.reaches_server_of(other)
        && other.may_write()
}

/// The server that an AdminApi reaches: host, port and path prefix. Two that differ in the scheme only are one; two names of one server are
/// not recognised as one.
pub fn server(api: &AdminApiSpec) -> String {
    let prefix = api.path_prefix.as_deref().unwrap_or("/admin");
    match Url::parse(&api.url).as_ref().map(|url| (url.host_str(), url.port_or_known_default())) {
        Ok((Some(host), Some(port))) => format!("{host}:{port}{prefix}"),
        // It is no URL and reaches nothing.
        _ => format!("{}{prefix}", api.url),
    }
}

/// What decides between two claims: when the resource was created, then its UID.
pub fn age(resource: &JsonWebKeySet) -> (Option<Timestamp>, Option<&str>) {
    (resource.metadata.creation_timestamp.as_ref().map(|time| time.0), resource.metadata.uid.as_deref())
}

/// Whether two resources name the same set, whatever the case of the letters.
pub fn claims_same_set(one: &Claimant<'_>, other: &Claimant<'_>) -> bool {
    one.set() == other.set()
}

/// Whether a resource can name this set by any AdminApi: a quick look, so that not every resource needs a thorough one.
pub fn could_name(resource: &JsonWebKeySet, set: &SetId) -> bool {
    match &resource.spec.set {
        Some(named) => SetId::from(named.as_str()) == *set,
        None => {
            let (namespace, name) = (resource.metadata.namespace.as_deref(), resource.metadata.name.as_deref());
            set.ends_with(&format!("{}.{}", namespace.unwrap_or_default(), name.unwrap_or_default()))
        }
    }
}

/// The refusal of a resource whose set is `owner`'s. The owner is named only inside its own namespace.
pub fn conflict(resource: &JsonWebKeySet, set: &SetId, owner: &JsonWebKeySet) -> SpecRefusal {
    let who = if resource.namespace() == owner.namespace() {
        format!("JsonWebKeySet {}", owner.name_any())
    } else {
        "a JsonWebKeySet of another namespace".to_owned()
    };
    let message = format!("set {set} is owned by {who}, which is older: name another set, or use mode Observe");
    SpecRefusal { reason: Reason::SetConflict, message }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;
    use crate::api::{AccessRule, JsonWebKeySetSpec, Namespaces};

    fn resource(namespace: &str, uid: &str, second: i64) -> JsonWebKeySet {
        let mut resource = JsonWebKeySet::new("payments", JsonWebKeySetSpec { set: Some("shop.Payments".into()), ..Default::default() });
        resource.metadata.namespace = Some(namespace.into());
        resource.metadata.uid = Some(uid.into());
        resource.metadata.creation_timestamp = Some(Time(Timestamp::from_second(second).expect("a time")));
        resource
    }

    fn everybody() -> AdminApiSpec {
        let namespaces = Namespaces { all: Some(true), ..Namespaces::default() };
        let rule = AccessRule { namespaces, sets: vec!["shop.*".into()], ..AccessRule::default() };
        AdminApiSpec { url: "http://hydra:4445".into(), access: vec![rule], ..AdminApiSpec::default() }
    }

    fn owns(other: &JsonWebKeySet, resource: &JsonWebKeySet, api: &AdminApiSpec) -> bool {
        let claimant = |resource| Claimant { resource, api: Some(api), labels: None };
        is_owned_by(&claimant(resource), &claimant(other))
    }

    #[test]
    fn the_older_one_owns_and_then_the_smaller_uid() {
        let (old, new, twin) = (resource("a", "2", 1), resource("b", "1", 2), resource("c", "3", 1));
        assert!(owns(&old, &new, &everybody()) && !owns(&new, &old, &everybody()));
        assert!(owns(&old, &twin, &everybody()) && !owns(&twin, &old, &everybody()));
        assert!(!owns(&old, &old, &everybody()));
    }

    #[test]
    fn the_quick_look_finds_whatever_the_thorough_one_would() {
        let mut resource = resource("shop", "1", 1);
        assert!(could_name(&resource, &"SHOP.payments".into()) && !could_name(&resource, &"shop.other".into()));
        resource.spec.set = None;
        for set in ["shop.payments", "prod-eu:Shop.Payments"] {
            assert!(could_name(&resource, &set.into()), "{set}");
        }
        for set in ["payments", "", "bank.payments", "shop:payments", "shop.payments.x"] {
            assert!(!could_name(&resource, &set.into()), "{set}");
        }
    }

    #[test]
    fn case_makes_no_difference() {
        let (old, mut new) = (resource("a", "2", 1), resource("b", "1", 2));
        new.spec.set = Some("SHOP.payments".into());
        assert!(owns(&old, &new, &everybody()));
    }

    #[test]
    fn the_server_decides_and_not_the_name_of_the_admin_api() {
        let (old, new) = (resource("a", "2", 1), resource("b", "1", 2));
        let mine = everybody();
        let through = |api: Option<&AdminApiSpec>| {
            is_owned_by(&Claimant { resource: &new, api: Some(&mine), labels: None }, &Claimant { resource: &old, api, labels: None })
        };
        assert!(through(Some(&AdminApiSpec { url: "HTTP://Hydra:4445/".into(), ..everybody() })));
        assert!(through(None), "one that cannot be read may reach any server");
        for (url, prefix) in [("http://other:4445", None), ("http://hydra:4446", None), ("http://hydra:4445", Some("/b/admin"))] {
            let other = AdminApiSpec { url: url.into(), path_prefix: prefix.map(str::to_owned), ..everybody() };
            assert!(!through(Some(&other)), "{url}");
        }
        for (one, two) in [
            ("http://h", "http://h:80"),
            ("https://h", "https://h:443/"),
            ("http://[::1]", "http://[0:0::1]:80"),
            ("http://H", "http://h:"),
        ] {
            let of = |url: &str| server(&AdminApiSpec { url: url.into(), ..AdminApiSpec::default() });
            assert_eq!(of(one), of(two));
        }
    }

    #[test]
    fn whoever_may_not_write_owns_nothing() {
        let (mut old, new) = (resource("a", "2", 1), resource("b", "1", 2));
        let only = |name: &str, mode| AccessRule {
            namespaces: Namespaces { names: Some(vec![name.into()]), ..Namespaces::default() },
            sets: vec!["shop.*".into()],
            mode,
            ..AccessRule::default()
        };
        let api = |access| AdminApiSpec { access, ..everybody() };
        assert!(!owns(&old, &new, &api(vec![only("b", None)])));
        assert!(!owns(&old, &new, &api(vec![only("b", None), only("a", Some(Mode::Observe))])), "it may only observe");
        old.spec.mode = Some(Mode::Observe);
        assert!(!owns(&old, &new, &everybody()));
    }

    #[test]
    fn an_owner_is_named_inside_its_namespace_only() {
        let (old, near, far) = (resource("a", "1", 1), resource("a", "2", 2), resource("b", "3", 3));
        let told = |resource| conflict(resource, &"shop.Payments".into(), &old).message;
        assert!(told(&near).contains("JsonWebKeySet payments"));
        assert!(!told(&far).contains("payments,") && told(&far).contains("another namespace"));
    }
}
