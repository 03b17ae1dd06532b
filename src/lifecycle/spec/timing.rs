//! When the key of an entry is replaced, and how long verifiers know it before and after it signs.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use super::{
    refusal::SpecRefusal,
    settings::{AdminApiSettings, late_answers},
};
use crate::api::{AdminApiSpec, JsonWebKeySet, ROTATE_AT_ANNOTATION, Reason, Rotation};
use crate::lifecycle::{entry_name::EntryName, record::DEFAULT_RETAIN};

/// How long a key is announced at most when the spec does not say.
const LONGEST_DEFAULT_PREPUBLISH: Duration = Duration::from_secs(24 * 3600);

/// The times of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a key signs; `None`: until somebody asks for another.
    pub interval: Option<SignedDuration>,
    /// How long the public half is known before the key signs; zero: it signs at once.
    pub prepublish: SignedDuration,
    /// How long the public half stays after the key stopped signing.
    pub retain: Duration,
}

impl Default for Timing {
    /// Of an entry without `rotation`.
    fn default() -> Self {
        Self { interval: None, prepublish: signed(LONGEST_DEFAULT_PREPUBLISH), retain: DEFAULT_RETAIN }
    }
}

impl Timing {
    /// Of an entry that cannot be carried out: what retired before stays for as long as it says.
    pub(super) fn retaining(rotation: Option<&Rotation>) -> Self {
        let retain = rotation.and_then(|rotation| rotation.retain).map_or(DEFAULT_RETAIN, Duration::from);
        Self { retain, ..Self::default() }
    }
}

/// Asked for on the resource: generated keys are to be replaced at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotateAt {
    /// The annotation as it was written.
    pub text: String,
    /// The time it says; `None` if it says none.
    pub at: Option<Timestamp>,
}

impl RotateAt {
    /// Reads the annotation (RFC 3339).
    fn parse(text: &str) -> Self {
        Self { text: text.chars().take(64).collect(), at: text.parse().ok() }
    }
}

/// The rotation that somebody asks for on a resource.
pub(in crate::lifecycle) fn asked_rotation(resource: &JsonWebKeySet) -> Option<RotateAt> {
    resource.annotations().get(ROTATE_AT_ANNOTATION).map(|text| RotateAt::parse(text))
}

/// Reads the times of entry `name`.
pub(in crate::lifecycle) fn timing(name: &EntryName, rotation: Option<&Rotation>, api: &AdminApiSpec) -> Result<Timing, SpecRefusal> {
    let Some(rotation) = rotation else { return Ok(Timing::default()) };
    let refused = |message: String| Err(SpecRefusal { reason: Reason::InvalidRotation, message: format!("key {name}: {message}") });
    let interval = rotation.interval.map(Duration::from);
    let settings = AdminApiSettings::of(api);
    let shortest = settings.min_rotation_interval;
    if let Some(interval) = interval.filter(|interval| *interval < shortest) {
        return refused(format!(
            "rotation.interval {} must be at least {}, the shortest that the AdminApi allows: write a longer interval, or ask its owner for a shorter spec.limits.minRotationInterval",
            text(interval),
            text(shortest)
        ));
    }
    let default = interval.map_or(LONGEST_DEFAULT_PREPUBLISH, |interval| LONGEST_DEFAULT_PREPUBLISH.min(interval / 4));
    let prepublish = rotation.prepublish.map_or(default, Duration::from);
    if let Some(interval) = interval.filter(|interval| prepublish >= *interval) {
        return refused(format!("rotation.prepublish {} must be shorter than rotation.interval {}", text(prepublish), text(interval)));
    }
    let late = late_answers(settings.generation_timeout);
    if !prepublish.is_zero() && prepublish <= late {
        return refused(format!(
            "rotation.prepublish {} must be 0s or longer than {}: for that long, twice spec.timeout of the AdminApi, an unanswered write may still take effect",
            text(prepublish),
            text(late)
        ));
    }
    Ok(Timing {
        interval: interval.map(signed),
        prepublish: signed(prepublish),
        retain: rotation.retain.map_or(DEFAULT_RETAIN, Duration::from),
    })
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

/// A duration as people write it in a spec: `10m`, not `600s`.
fn text(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s"), (u64::from(duration.subsec_millis()), "ms")];
    let written: Vec<_> = parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if written.is_empty() { "0s".to_owned() } else { written.concat() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_reads_as_people_write_it() {
        for (milliseconds, written) in [(0, "0s"), (1_500, "1s500ms"), (600_000, "10m"), (5_400_000, "1h30m"), (2_592_000_000, "720h")] {
            assert_eq!(text(Duration::from_millis(milliseconds)), written);
        }
    }
}
