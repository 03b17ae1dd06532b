//! What each line of the log carries: which resource it is about.
//!
//! These spans are of the level `error`, so that no log level takes their fields from the lines that are written.

use kube::{Resource, ResourceExt as _};
use tracing::{Span, field};

use crate::{lifecycle::SetId, trace_context};

/// The span of the work on a JsonWebKeySet. [`is_about`] adds the set, once it is known.
pub(super) fn of_json_web_key_set(resource: &impl Resource) -> Span {
    let namespace = resource.namespace().unwrap_or_default();
    in_trace(tracing::error_span!("reconcile", namespace, name = resource.name_any(), set = field::Empty, trace_id = field::Empty))
}

/// The span of the work on an AdminApi.
pub(super) fn of_admin_api(resource: &impl Resource) -> Span {
    in_trace(tracing::error_span!("reconcile_admin_api", admin_api = resource.name_any(), trace_id = field::Empty))
}

/// Lets who reads the log find the trace, if there is one.
fn in_trace(span: Span) -> Span {
    span.record("trace_id", trace_context::trace_id(&span));
    span
}

/// The work at hand is about this remote set.
pub(super) fn is_about(set: &SetId) {
    Span::current().record("set", set.as_str());
}
