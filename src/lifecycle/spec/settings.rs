//! The settings of an AdminApi, with the defaults of what it does not say.

use std::time::Duration;

use crate::api::AdminApiSpec;

/// How long the generation of a key may take when the AdminApi does not say.
pub const DEFAULT_GENERATION_TIMEOUT: Duration = Duration::from_secs(60);
/// How long any other request may take at most: the server reads or writes a few rows for it.
pub const LONGEST_REQUEST: Duration = Duration::from_secs(15);
/// How often a set is compared with its resource when the AdminApi does not say.
const DEFAULT_RESYNC_INTERVAL: Duration = Duration::from_secs(600);
/// The shortest time between two rotations when the AdminApi does not say.
const DEFAULT_MIN_ROTATION_INTERVAL: Duration = Duration::from_secs(3600);
/// How many keys are generated at once when the AdminApi does not say.
const DEFAULT_GENERATIONS: usize = 2;
/// How many requests are under way at once when the AdminApi does not say.
const DEFAULT_CONCURRENCY: usize = 16;
/// What is shorter is taken for this: an AdminApi may have been stored before there was a rule.
const SHORTEST: Duration = Duration::from_secs(1);

/// What an AdminApi allows and asks for, as its spec says, or by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdminApiSettings {
    /// How long the generation of a key may take.
    pub generation_timeout: Duration,
    /// How long any other request may take.
    pub request_timeout: Duration,
    /// How often each set is compared with its resource.
    pub resync_interval: Duration,
    /// The shortest time between two rotations of one key.
    pub min_rotation_interval: Duration,
    /// How many passes and requests are under way at the same time.
    pub concurrency: usize,
    /// How many keys are generated at the same time.
    pub generations: usize,
}

impl AdminApiSettings {
    /// Those of this spec.
    pub fn of(spec: &AdminApiSpec) -> Self {
        let limits = spec.limits.clone().unwrap_or_default();
        let count = |asked: Option<i32>, default| asked.and_then(|count| usize::try_from(count).ok()).unwrap_or(default).max(1);
        let generation_timeout = spec.timeout.map_or(DEFAULT_GENERATION_TIMEOUT, Duration::from).max(SHORTEST);
        Self {
            generation_timeout,
            request_timeout: generation_timeout.min(LONGEST_REQUEST),
            resync_interval: spec.resync_interval.map_or(DEFAULT_RESYNC_INTERVAL, Duration::from).max(SHORTEST),
            min_rotation_interval: limits.min_rotation_interval.map_or(DEFAULT_MIN_ROTATION_INTERVAL, Duration::from),
            concurrency: count(limits.concurrency, DEFAULT_CONCURRENCY),
            generations: count(limits.generations, DEFAULT_GENERATIONS),
        }
    }
}

/// How long a write that was not answered may still take effect: once its own timeout for the request to arrive, once for the server to act.
pub fn late_answers(timeout: Duration) -> Duration {
    timeout * 2
}
