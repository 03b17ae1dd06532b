//! Patterns of set ids, as access rules name them.

use crate::lifecycle::set_id::SetId;

/// What stands for the namespace of a resource.
const NAMESPACE: &str = "{namespace}";

/// A pattern: segments between `.` and `:`, one of which may be `{namespace}`, and perhaps a last `*`.
///
/// Case is ignored, because MySQL ignores it: two sets that differ in case only are one.
pub(super) struct SetPattern {
    /// Each part is a segment or a separator.
    parts: Vec<String>,
    /// Whether any rest may follow.
    is_open: bool,
    /// The pattern as if it were a set id.
    literal: SetId,
}

impl SetPattern {
    /// Reads a pattern. The API server lets only well-formed ones pass; what is none matches nothing but itself.
    pub(super) fn parse(text: &str) -> Self {
        let lower = text.to_ascii_lowercase();
        let (fixed, is_open) = match lower.strip_suffix('*') {
            Some(fixed) if fixed.ends_with(['.', ':']) => (fixed, true),
            _ => (lower.as_str(), false),
        };
        Self { parts: parts(fixed), is_open, literal: text.into() }
    }

    /// Whether the pattern covers `set` for a resource of `namespace`. A set of Hydra's own is covered by its full name only, whatever
    /// wildcard or namespace name would reach it.
    pub(super) fn covers(&self, namespace: &str, set: &SetId) -> bool {
        if set.is_hydras_own() {
            return self.literal == *set;
        }
        let wanted: String = self.parts.iter().map(|part| if part == NAMESPACE { namespace } else { part }).collect();
        set.strip_prefix(&wanted).is_some_and(|rest| if self.is_open { !rest.is_empty() } else { rest.is_empty() })
    }

    /// Which namespaces could reach one set by `self` and by `other`: the names that each of the two patterns asks for, `None` for any.
    /// Without an answer no set is covered by both for two different namespaces.
    pub(super) fn meets(&self, other: &Self) -> Option<(Option<String>, Option<String>)> {
        if self.literal.is_hydras_own() || other.literal.is_hydras_own() {
            // A full name, and no pattern, which would cover none of them.
            return (self.literal == other.literal && !self.literal.as_str().contains(['{', '*'])).then_some((None, None));
        }
        let (mut ours, mut theirs) = (None, None);
        let common = self.parts.len().min(other.parts.len());
        for (one, two) in self.parts.iter().zip(&other.parts) {
            match (one == NAMESPACE, two == NAMESPACE) {
                // The same segment would be the name of both namespaces, which differ.
                (true, true) => return None,
                (true, false) => bind(&mut ours, two)?,
                (false, true) => bind(&mut theirs, one)?,
                (false, false) if one != two => return None,
                (false, false) => {}
            }
        }
        // What is longer goes on where the other one is open, with at least one more segment.
        let is_covered = |short: &Self, long: &Self| long.parts.len() == common || (short.is_open && long.parts.len() > common);
        let same_length = self.parts.len() == other.parts.len();
        let both_end = same_length && self.is_open == other.is_open;
        let both_go_on = is_covered(self, other) && is_covered(other, self) && !same_length;
        let is_met = both_end || both_go_on;
        // A namespace of this name reaches none of Hydra's own sets.
        let is_hydra = |name: &Option<String>, pattern: &Self| {
            name.as_deref() == Some("hydra")
                && matches!(pattern.parts.as_slice(), [first, second, ..] if first == NAMESPACE && second == ".")
        };
        (is_met && !is_hydra(&ours, self) && !is_hydra(&theirs, other)).then_some((ours, theirs))
    }
}

/// Binds `{namespace}` of one pattern to a segment of the other, if that can be the name of a namespace.
fn bind(name: &mut Option<String>, segment: &str) -> Option<()> {
    let is_name = segment.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') && !segment.is_empty();
    if !is_name || name.as_deref().is_some_and(|name| name != segment) {
        return None;
    }
    *name = Some(segment.to_owned());
    Some(())
}

/// The parts of a pattern, separators included as parts of their own.
fn parts(pattern: &str) -> Vec<String> {
    let parts = pattern.split_inclusive(['.', ':']).flat_map(|part| match part.strip_suffix(['.', ':']) {
        Some(segment) => [segment, &part[segment.len()..]],
        None => [part, ""],
    });
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn covers(pattern: &str, namespace: &str, set: &str) -> bool {
        SetPattern::parse(pattern).covers(namespace, &set.into())
    }

    #[test]
    fn a_pattern_covers_what_it_names_whatever_the_case() {
        assert!(covers("{namespace}.*", "shop", "shop.payments") && covers("{namespace}.*", "shop", "SHOP.Payments"));
        assert!(covers("Shared.Keys", "shop", "shared.keys") && covers("hydra.openid.id-token", "shop", "Hydra.OpenID.id-token"));
        for set in ["shop", "shop.", "shopx.payments", "bank.payments", "hydra.openid.id-token"] {
            assert!(!covers("{namespace}.*", "shop", set), "{set}");
        }
    }

    #[test]
    fn a_segment_is_replaced_as_a_whole() {
        assert!(covers("prod:{namespace}:*", "shop", "prod:shop:a.b"));
        assert!(!covers("prod:{namespace}:*", "shop", "prod:bank:a"));
        assert!(!covers("x{namespace}.*", "shop", "xshop.a"), "the placeholder is no whole segment there");
    }

    #[test]
    fn a_namespace_called_hydra_reaches_none_of_hydras_sets() {
        for pattern in ["{namespace}.*", "{namespace}.openid.id-token", "{namespace}.openid.*"] {
            assert!(!covers(pattern, "hydra", "hydra.openid.id-token"), "{pattern}");
        }
    }

    const SEGMENTS: [&str; 5] = ["a", "b", "{namespace}", "hydra", "B"];

    fn pattern() -> impl Strategy<Value = String> {
        let segment = || proptest::sample::select(&SEGMENTS[..]);
        let separator = || proptest::sample::select(&[".", ":"][..]);
        (segment(), proptest::collection::vec((separator(), segment()), 0..3), proptest::option::of(separator())).prop_map(
            |(first, rest, open)| {
                let fixed = rest.iter().fold(first.to_owned(), |id, (separator, segment)| format!("{id}{separator}{segment}"));
                open.map_or(fixed.clone(), |separator| format!("{fixed}{separator}*"))
            },
        )
    }

    /// Every id of up to four segments of a small alphabet.
    fn ids() -> Vec<String> {
        let mut all: Vec<String> = ["a", "b", "hydra"].map(str::to_owned).to_vec();
        let mut last = all.clone();
        for _ in 0..3 {
            last = last
                .iter()
                .flat_map(|id| [".", ":"].map(|separator| ["a", "b", "hydra"].map(|segment| format!("{id}{separator}{segment}"))))
                .flatten()
                .collect();
            all.extend(last.clone());
        }
        all
    }

    proptest! {
        /// What two patterns are said to share is what they share when all ids are tried.
        #[test]
        fn two_patterns_meet_where_some_set_is_covered_by_both(one in pattern(), two in pattern()) {
            let (first, second) = (SetPattern::parse(&one), SetPattern::parse(&two));
            let ids: Vec<_> = ids().into_iter().map(SetId::from).collect();
            let names = ["a", "b", "hydra"];
            for ours in names {
                for theirs in names.iter().filter(|theirs| **theirs != ours) {
                    let is_shared = ids.iter().any(|id| first.covers(ours, id) && second.covers(theirs, id));
                    let is_said = first.meets(&second).is_some_and(|(one, two)| {
                        one.is_none_or(|name| name == ours) && two.is_none_or(|name| &name == theirs)
                    });
                    prop_assert_eq!(is_shared, is_said, "{} as {}, {} as {}", one, ours, two, theirs);
                }
            }
        }
    }
}
