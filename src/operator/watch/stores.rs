//! What is watched, as it was last seen.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::{
    core::{DeserializeGuard, PartialObjectMeta},
    runtime::reflector::{
        self, Store,
        store::{Writer, WriterDropped},
    },
};

use crate::api::{AdminApi, JsonWebKeySet};

/// A resource as it is watched: it may be unreadable.
pub(in crate::operator) type Watched = DeserializeGuard<JsonWebKeySet>;

/// What is watched, as it was last seen.
#[derive(Clone)]
pub(in crate::operator) struct Stores {
    pub(in crate::operator) sets: Store<Watched>,
    pub(in crate::operator) admin_apis: Store<DeserializeGuard<AdminApi>>,
    pub(in crate::operator) config_maps: Store<PartialObjectMeta<ConfigMap>>,
    pub(in crate::operator) secrets: Store<PartialObjectMeta<Secret>>,
    /// The Secrets that may be imported from, as far as the operator may watch them.
    pub(in crate::operator) imports: Store<PartialObjectMeta<Secret>>,
    /// The namespaces, for their labels.
    pub(in crate::operator) namespaces: Store<PartialObjectMeta<Namespace>>,
}

/// What fills the stores.
pub(in crate::operator) struct Writers {
    pub(in crate::operator) sets: Writer<Watched>,
    pub(in crate::operator) admin_apis: Writer<DeserializeGuard<AdminApi>>,
    pub(in crate::operator) config_maps: Writer<PartialObjectMeta<ConfigMap>>,
    pub(in crate::operator) secrets: Writer<PartialObjectMeta<Secret>>,
    pub(in crate::operator) imports: Writer<PartialObjectMeta<Secret>>,
    pub(in crate::operator) namespaces: Writer<PartialObjectMeta<Namespace>>,
}

/// Empty stores, and what fills them.
pub(in crate::operator) fn stores() -> (Stores, Writers) {
    let (sets, set_writer) = reflector::store();
    let (admin_apis, admin_api_writer) = reflector::store();
    let (config_maps, config_map_writer) = reflector::store();
    let (secrets, secret_writer) = reflector::store();
    let (imports, import_writer) = reflector::store();
    let (namespaces, namespace_writer) = reflector::store();
    let writers = Writers {
        sets: set_writer,
        admin_apis: admin_api_writer,
        config_maps: config_map_writer,
        secrets: secret_writer,
        imports: import_writer,
        namespaces: namespace_writer,
    };
    (Stores { sets, admin_apis, config_maps, secrets, imports, namespaces }, writers)
}

impl Stores {
    /// Waits until everything was listed that a decision needs. What may be imported from may be forbidden to watch, and is not waited for.
    ///
    /// # Errors
    /// If a watch ended before that.
    pub(in crate::operator) async fn wait_until_listed(&self) -> Result<(), WriterDropped> {
        self.sets.wait_until_ready().await?;
        self.admin_apis.wait_until_ready().await?;
        self.config_maps.wait_until_ready().await?;
        self.secrets.wait_until_ready().await?;
        self.namespaces.wait_until_ready().await
    }
}
