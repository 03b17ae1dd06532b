//! What is to be done about a resource, before its remote set is looked at.

use std::time::Duration;

use kube::{Resource as _, ResourceExt as _};

use super::{
    claims::{self, Surroundings},
    pass::Work,
};
use crate::operator::{
    admin_api::connections::{self, Unconnected},
    context::Context,
    writes::RemoteSet,
};
use crate::{
    api::{FINALIZER, JsonWebKeySet, Reason},
    lifecycle::{self, SpecRefusal, spec::claim},
};

/// When to look again at a resource whose surroundings are not known yet.
const UNKNOWN: Duration = Duration::from_secs(1);
/// When to look again if the reconcile of the AdminApi, which wakes its sets, did not end.
const UNCONNECTED: Duration = Duration::from_secs(5);

/// What is to be done about a resource.
pub(super) enum Course {
    /// Nothing: it goes.
    Nothing,
    /// Something is about to be known that it depends on.
    Later(Duration),
    /// It is released, and the remote set stays.
    LetGo(Reason),
    /// Its AdminApi cannot be used.
    WaitForAdminApi(Unconnected),
    /// It asks for something that it cannot have.
    Refuse(SpecRefusal),
    /// A pass.
    Pass(Box<Work>),
}

/// What is to be done about `resource`, by what is known of its surroundings.
pub(super) fn of(resource: &JsonWebKeySet, surroundings: &Surroundings, cx: &Context) -> Course {
    let is_deleted = resource.meta().deletion_timestamp.is_some();
    if is_deleted && !resource.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
        return Course::Nothing;
    }
    if is_deleted && lifecycle::leaves_remote_alone(resource) {
        return Course::LetGo(Reason::SetRetained);
    }
    if surroundings.labels().is_none() {
        // The namespace is about to be seen, and may carry labels that a rule asks for.
        return Course::Later(UNKNOWN);
    }
    let name = claim::admin_api_name(resource);
    let unusable = |reason, message| Course::WaitForAdminApi(Unconnected { reason, message });
    let admin_api = match surroundings.admin_api() {
        Some(Ok(admin_api)) => admin_api,
        Some(Err(_)) => {
            return unusable(Reason::AdminApiInvalid, format!("AdminApi {name} cannot be read: its owner must correct its spec"));
        }
        None => {
            let message = format!("there is no AdminApi {name}: create it, or name another in spec.adminApiRef of a new resource");
            return unusable(Reason::AdminApiNotFound, message);
        }
    };
    let desired = match lifecycle::validate(resource, &admin_api.spec, surroundings.labels()) {
        Ok(desired) => desired,
        Err(refusal) if is_deleted && refusal.reason == Reason::AccessDenied => return Course::LetGo(Reason::AccessDenied),
        Err(refusal) => return Course::Refuse(refusal),
    };
    if let Some(conflict) = claims::conflict(resource, surroundings, cx) {
        return if desired.deleting { Course::LetGo(Reason::SetConflict) } else { Course::Refuse(conflict) };
    }
    match cx.connections.get(name) {
        // One that was made from an earlier AdminApi of this name must not be used: its own reconcile is about to run.
        Some(Ok(connection)) if !connection.basis.is_of(admin_api) => Course::Later(UNKNOWN),
        Some(Ok(connection)) => Course::Pass(Box::new(Work {
            remote: RemoteSet::new(&admin_api.spec, &desired.set),
            resync: connections::resync(&admin_api.spec),
            admin_api: name.to_owned(),
            desired,
            connection,
        })),
        Some(Err(unconnected)) => Course::WaitForAdminApi(unconnected),
        None => Course::Later(UNCONNECTED),
    }
}
