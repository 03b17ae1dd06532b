//! What a resource asks to be published, with a spec that can be acted on or without.

use std::collections::BTreeSet;

use kube::ResourceExt as _;

use super::TargetId;
use crate::api::{AdminApiSpec, JsonWebKeySet, PrivateLayout, PublicForm, PublishTarget, TargetContentKind, TargetKind};
use crate::jwk::Kid;
use crate::lifecycle::{entry_name::EntryName, set_id::SetId};

/// What is asked to be published, and where.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The id of the remote set.
    pub set: SetId,
    /// Where the keys are published.
    pub targets: Vec<Target>,
    /// The targets that shall hold private keys, which the AdminApi does not grant: they are removed.
    pub withheld: Vec<TargetId>,
    /// The kids that leave every target at once.
    pub revoked: BTreeSet<Kid>,
    /// Whether `targets` are all that shall be: what else is there is removed. While a spec is refused, it stays.
    pub is_complete: bool,
    /// Whether Secrets may hold private keys.
    pub private_keys: PrivateKeys,
    /// The entries whose keys verifiers can read: while one of them has none yet, an empty document is a mistake.
    pub readable: BTreeSet<EntryName>,
}

/// Whether Secrets of a resource may hold private keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrivateKeys {
    /// The AdminApi grants it.
    Granted,
    /// Nothing grants it: what is there is removed.
    Denied,
    /// The AdminApi cannot be read: what is there stays.
    Unknown,
}

/// The AdminApi of a resource, as far as a grant can be read from it.
#[derive(Clone, Copy, Debug)]
pub enum Granting<'world> {
    /// There is none, so that nothing is granted.
    Nothing,
    /// It cannot be read.
    Unreadable,
    /// Its rules.
    Rules(&'world AdminApiSpec),
}

/// One object that holds the keys.
#[derive(Clone, Debug)]
pub struct Target {
    /// Which object.
    pub id: TargetId,
    /// Its data key.
    pub data_key: String,
    /// In which form it holds public halves. A target for private keys has a layout instead.
    pub form: PublicForm,
    /// In which layout it holds private keys; `None` for the public halves alone.
    pub private: Option<PrivateLayout>,
    /// What `publish` asks for besides.
    pub asked: PublishTarget,
}

impl Wanted {
    /// What a resource asks for whose spec can be acted on, and of whose entries these have keys that verifiers can read.
    pub(in crate::lifecycle) fn of(
        resource: &JsonWebKeySet,
        set: &SetId,
        private_keys: PrivateKeys,
        readable: BTreeSet<EntryName>,
    ) -> Self {
        let mut targets = targets(resource);
        let is_withheld = |target: &mut Target| target.private.is_some() && private_keys == PrivateKeys::Denied;
        let withheld = targets.extract_if(.., is_withheld).map(|target| target.id).collect();
        Self {
            set: set.clone(),
            targets,
            withheld,
            revoked: resource.spec.revoke.iter().map(|kid| kid.as_str().into()).collect(),
            is_complete: true,
            private_keys,
            readable,
        }
    }
}

/// The targets that a spec names.
fn targets(resource: &JsonWebKeySet) -> Vec<Target> {
    let namespace = resource.namespace().unwrap_or_default();
    let target = |kind, name: String, data_key: &Option<String>, asked: &PublishTarget| {
        let private = asked.secret.as_ref().filter(|secret| secret.content == Some(TargetContentKind::Private));
        let private = private.map(|secret| secret.layout.unwrap_or_default());
        // The schema refuses both; this holds for what was stored before there was a rule.
        let form = asked.form.filter(|_| private.is_none()).unwrap_or_default();
        Target {
            id: TargetId { kind, namespace: namespace.clone(), name },
            data_key: data_key.clone().unwrap_or_else(|| form.default_data_key().to_owned()),
            form,
            private,
            asked: asked.clone(),
        }
    };
    match &resource.spec.publish {
        None => vec![target(TargetKind::ConfigMap, format!("{}-jwks", resource.name_any()), &None, &PublishTarget::default())],
        Some(asked) => asked
            .iter()
            .filter_map(|asked| match (&asked.config_map, &asked.secret) {
                (Some(map), _) => Some(target(TargetKind::ConfigMap, map.name.clone(), &map.key, asked)),
                (None, Some(secret)) => Some(target(TargetKind::Secret, secret.name.clone(), &secret.key, asked)),
                (None, None) => None,
            })
            .collect(),
    }
}
