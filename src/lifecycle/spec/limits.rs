//! What an AdminApi allows, with the defaults of what it does not say.

use std::time::Duration;

use crate::api::{AdminApiSpec, Limits};

/// How long the generation of a key may take when the AdminApi does not say.
pub const DEFAULT_GENERATION_TIMEOUT: Duration = Duration::from_secs(60);
/// How long any other request may take at most: the server reads or writes a few rows for it.
pub const LONGEST_REQUEST: Duration = Duration::from_secs(15);
/// The shortest time between two rotations when the AdminApi does not say.
const DEFAULT_MIN_ROTATION_INTERVAL: Duration = Duration::from_secs(3600);
/// How many keys are generated at once when the AdminApi does not say.
const DEFAULT_GENERATIONS: usize = 2;
/// How many requests are under way at once when the AdminApi does not say.
const DEFAULT_CONCURRENCY: usize = 16;
/// What is shorter is taken for this: an AdminApi may have been stored before there was a rule.
const SHORTEST: Duration = Duration::from_secs(1);

/// How long the generation of a key may take.
pub fn generation_timeout(spec: &AdminApiSpec) -> Duration {
    spec.timeout.map_or(DEFAULT_GENERATION_TIMEOUT, Duration::from).max(SHORTEST)
}

/// How long any other request may take.
pub fn request_timeout(spec: &AdminApiSpec) -> Duration {
    generation_timeout(spec).min(LONGEST_REQUEST)
}

/// How long a write that was not answered may still take effect: once its own timeout for the request to arrive, once for the server to act.
pub fn late_answers(timeout: Duration) -> Duration {
    timeout * 2
}

/// The shortest time between two rotations of one key.
pub fn min_rotation_interval(spec: &AdminApiSpec) -> Duration {
    limits(spec).and_then(|limits| limits.min_rotation_interval).map_or(DEFAULT_MIN_ROTATION_INTERVAL, Duration::from)
}

/// How many passes and requests are under way at the same time.
pub fn concurrency(spec: &AdminApiSpec) -> usize {
    limits(spec).and_then(|limits| limits.concurrency).and_then(|count| usize::try_from(count).ok()).unwrap_or(DEFAULT_CONCURRENCY).max(1)
}

/// How many keys are generated at the same time.
pub fn generations(spec: &AdminApiSpec) -> usize {
    limits(spec).and_then(|limits| limits.generations).and_then(|count| usize::try_from(count).ok()).unwrap_or(DEFAULT_GENERATIONS).max(1)
}

fn limits(spec: &AdminApiSpec) -> Option<&Limits> {
    spec.limits.as_ref()
}
