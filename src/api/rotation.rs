//! When a key is replaced, and how long verifiers have to learn of it.

use kube::{KubeSchema, core::Duration};
use serde::{Deserialize, Serialize};

/// When a key is replaced, and how long its public half is known before and after it signs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.interval) || !self.interval.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') || duration(self.interval) >= duration('10s')")
        .message("interval is at least 10s").field_path(".interval"),
    validation = Rule::new(
        "!has(self.interval) || !has(self.prepublish) || !(self.interval + self.prepublish).matches('^([0-9]{1,5}(h|m|s|ms))+$') || duration(self.prepublish) < duration(self.interval)")
        .message(kube::core::Message::Expression("'prepublish ' + self.prepublish + ' must be shorter than interval ' + self.interval".into()))
        .field_path(".prepublish")
)]
pub struct Rotation {
    /// How long a key signs before the next one does, for example `720h`. Absent: until the annotation `jwk-operator.dev/rotate-at` asks for
    /// another. Not shorter than `limits.minRotationInterval` of the AdminApi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$')")
        .message("a duration is numbers with h, m, s or ms, for example 720h; write days as hours"))]
    pub interval: Option<Duration>,
    /// How long the public half of a key is in the set and in all targets before the key signs. It must outlast every cache of every verifier.
    /// Absent: a quarter of `interval`, at most `24h`; without `interval` `24h`. `0s`: it signs at once, and verifiers that cached the set
    /// refuse what it signs until they read it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$')")
        .message("a duration is numbers with h, m, s or ms, for example 24h; write days as hours"))]
    pub prepublish: Option<Duration>,
    /// How long the public half stays after the key stopped signing. It must outlast every token that the key signed. Absent: `48h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$')")
        .message("a duration is numbers with h, m, s or ms, for example 48h; write days as hours"))]
    pub retain: Option<Duration>,
}
