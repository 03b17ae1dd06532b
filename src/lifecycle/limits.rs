//! What an AdminApi allows, with the defaults of what it does not say.

use std::time::Duration;

use crate::api::{AdminApiSpec, Limits};

/// How long a call may take when the AdminApi does not say.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// The shortest time between two rotations when the AdminApi does not say.
const DEFAULT_MIN_ROTATION_INTERVAL: Duration = Duration::from_secs(3600);
/// How many keys are generated at once when the AdminApi does not say.
const DEFAULT_GENERATIONS: usize = 2;
/// What is shorter is taken for this: an AdminApi may have been stored before there was a rule.
const SHORTEST: Duration = Duration::from_secs(1);

/// How long one call may take.
pub fn timeout(spec: &AdminApiSpec) -> Duration {
    spec.timeout.map_or(DEFAULT_TIMEOUT, Duration::from).max(SHORTEST)
}

/// How long a write that was not answered may still take effect: once its own timeout for the request to arrive, once for the server to act.
pub fn late_answers(timeout: Duration) -> Duration {
    timeout * 2
}

/// The shortest time between two rotations of one key.
pub fn min_rotation_interval(spec: &AdminApiSpec) -> Duration {
    limits(spec).and_then(|limits| limits.min_rotation_interval).map_or(DEFAULT_MIN_ROTATION_INTERVAL, Duration::from)
}

/// How many keys are generated at the same time.
pub fn generations(spec: &AdminApiSpec) -> usize {
    limits(spec).and_then(|limits| limits.generations).and_then(|count| usize::try_from(count).ok()).unwrap_or(DEFAULT_GENERATIONS).max(1)
}

fn limits(spec: &AdminApiSpec) -> Option<&Limits> {
    spec.limits.as_ref()
}
