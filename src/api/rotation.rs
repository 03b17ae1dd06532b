//! When a key is replaced, and how long verifiers have to read the new one.

use kube::{KubeSchema, core::Duration};
use serde::{Deserialize, Serialize};

use super::durations;

/// When a key is replaced, and how long its public half is published before and after it signs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(format!("!has(self.interval) || {}", durations::is_long_enough("self.interval", "10s")))
        .message("interval must be at least 10s").field_path(".interval"),
    validation = Rule::new(
        "!has(self.interval) || !has(self.prepublish) || !(self.interval + self.prepublish).matches('^([0-9]{1,5}(h|m|s|ms))+$') || duration(self.prepublish) < duration(self.interval)")
        .message(kube::core::Message::Expression("'prepublish ' + self.prepublish + ' must be shorter than interval ' + self.interval".into()))
        .field_path(".prepublish")
)]
pub struct Rotation {
    /// How long a key signs before the next one does, for example `720h`. If unset, a key signs until the annotation `jwk-operator.dev/rotate-at`
    /// asks for another. It must not be shorter than `limits.minRotationInterval` of the AdminApi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 32))]
    #[x_kube(validation = durations::is_duration("interval", "720h; write days as hours"))]
    pub interval: Option<Duration>,
    /// How long the public half of a key is in the set and in all targets before the key signs. It must outlast every cache of every verifier.
    /// Defaults to a quarter of `interval`, at most `24h`; without `interval`, to `24h`. With `0s` the key signs at once, and verifiers that
    /// cached the set reject what it signs until they read the set again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 32))]
    #[x_kube(validation = durations::is_duration("prepublish", "24h; write days as hours"))]
    pub prepublish: Option<Duration>,
    /// How long the public half stays after the key stopped signing. Defaults to `48h`. It must outlast every token that the key signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 32))]
    #[x_kube(validation = durations::is_duration("retain", "48h; write days as hours"))]
    pub retain: Option<Duration>,
}
