//! How durations are written in a spec: rules that the API server checks, in CEL.

use kube::core::Rule;

/// Numbers with units, as `duration()` of CEL reads them. It has no unit for days.
const FORM: &str = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";

/// Field `name` must be written as a duration, such as `example`.
pub(super) fn is_duration(name: &str, example: &str) -> Rule {
    Rule::new(format!("self.matches('{FORM}')"))
        .message(format!("{name} must be numbers with h, m, s or ms, for example {example}").as_str())
}

/// Field `name`, which the rule is about, must not be shorter than `shortest`.
pub(super) fn at_least(name: &str, shortest: &str) -> Rule {
    Rule::new(is_long_enough("self", shortest)).message(format!("{name} must be at least {shortest}").as_str())
}

/// The expression that `value` is not shorter than `shortest`. What is no duration is left to [`is_duration`].
pub(super) fn is_long_enough(value: &str, shortest: &str) -> String {
    format!("!{value}.matches('{FORM}') || duration({value}) >= duration('{shortest}')")
}
