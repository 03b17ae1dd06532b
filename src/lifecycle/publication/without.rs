//! What is asked to be published while the admin API is not asked, or the spec is refused.

use kube::ResourceExt as _;

use super::wanted::{Granting, PrivateKeys, Target, Wanted};
use crate::{
    api::JsonWebKeySet,
    lifecycle::{
        set_id::SetId,
        spec::{
            access::{self, Labels},
            desired::validate,
            names::{is_object_name, set_id},
        },
    },
};

impl Wanted {
    /// What is published while the admin API is not asked: what the spec names if it can be acted on, else what was published before. `labels`
    /// are those of the namespace.
    pub fn without_admin_api(resource: &JsonWebKeySet, granting: Granting<'_>, labels: Option<&Labels>) -> Self {
        let desired = match granting {
            Granting::Rules(api) => validate(resource, api, labels).ok(),
            Granting::Nothing | Granting::Unreadable => None,
        };
        match desired.filter(|desired| !desired.deleting) {
            Some(desired) => desired.publication,
            None => Self::without_spec(resource, granting, labels),
        }
    }

    /// What is published of a resource that is not acted on, whatever its spec says: what was written before stays up to date, but for what the
    /// spec revokes and what is not granted any more. `labels` are those of its namespace.
    pub fn without_spec(resource: &JsonWebKeySet, granting: Granting<'_>, labels: Option<&Labels>) -> Self {
        let written = resource.status.as_ref().filter(|status| status.origin.is_some()).and_then(|status| status.set.clone());
        let rules = match granting {
            Granting::Rules(api) => Some(api),
            Granting::Nothing | Granting::Unreadable => None,
        };
        // A set that keys were put into stays the one of its resource, also when the spec came to name another.
        let set = &written.map_or_else(|| set_id(resource, rules), SetId::from);
        let private_keys = match granting {
            Granting::Nothing => PrivateKeys::Denied,
            Granting::Unreadable => PrivateKeys::Unknown,
            Granting::Rules(api) => {
                let grant = access::grant(api, &resource.namespace().unwrap_or_default(), labels, set);
                if grant.is_some_and(|grant| grant.private_export) { PrivateKeys::Granted } else { PrivateKeys::Denied }
            }
        };
        let was_written = |target: &Target| {
            let listed = resource.status.iter().flat_map(|status| &status.targets);
            listed.into_iter().any(|listed| target.id.is(listed)) && is_object_name(&target.id.name)
        };
        let readable = resource.spec.keys.iter().map(|entry| entry.name.as_str().into()).collect();
        let mut wanted = Self { is_complete: false, ..Self::of(resource, set, private_keys, readable) };
        wanted.targets.retain(|target| was_written(target) && resource.metadata.deletion_timestamp.is_none());
        wanted
    }
}
