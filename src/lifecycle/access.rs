//! Which namespace may use which set.

use crate::api::AccessRule;

/// Whether one of the rules lets `namespace` use `set`. Rules add up; no rule grants nothing.
pub fn is_granted(rules: &[AccessRule], namespace: &str, set: &str) -> bool {
    rules.iter().any(|rule| covers_namespace(rule, namespace) && rule.sets.iter().any(|pattern| matches(pattern, namespace, set)))
}

fn covers_namespace(rule: &AccessRule, namespace: &str) -> bool {
    match rule.namespaces.as_ref().and_then(|namespaces| namespaces.names.as_ref()) {
        Some(names) => names.iter().any(|name| name == namespace),
        None => true,
    }
}

/// Whether `pattern` covers `set`: `{namespace}` stands for the namespace as a whole segment, a last segment `*` for any rest.
///
/// Case is ignored, because MySQL ignores it: two sets that differ in case only are one. A set of Hydra's own is covered by its full name
/// only, whatever wildcard or namespace name would reach it.
fn matches(pattern: &str, namespace: &str, set: &str) -> bool {
    let set = set.to_ascii_lowercase();
    let literal = pattern.to_ascii_lowercase();
    if is_hydras_own(&set) {
        return literal == set;
    }
    let wanted = segments(&literal).map(|segment| if segment == "{namespace}" { namespace } else { segment }).collect::<String>();
    match wanted.strip_suffix('*') {
        Some(start) if start.ends_with(['.', ':']) => set.len() > start.len() && set.starts_with(start),
        _ => set == wanted,
    }
}

/// Whether Hydra keeps this set for itself and may sign with it at any time.
pub fn is_hydras_own(set: &str) -> bool {
    set.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("hydra."))
}

/// The parts of a pattern, separators included as parts of their own.
fn segments(pattern: &str) -> impl Iterator<Item = &str> {
    pattern.split_inclusive(['.', ':']).flat_map(|part| match part.strip_suffix(['.', ':']) {
        Some(segment) => [segment, &part[segment.len()..]],
        None => [part, ""],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Namespaces;

    fn rule(names: Option<&[&str]>, sets: &[&str]) -> AccessRule {
        AccessRule {
            namespaces: names.map(|names| Namespaces { names: Some(names.iter().map(ToString::to_string).collect()) }),
            sets: sets.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn no_rule_grants_nothing() {
        assert!(!is_granted(&[], "shop", "shop.payments"));
    }

    #[test]
    fn a_namespace_reaches_what_its_rule_names() {
        let rules = [rule(Some(&["shop"]), &["{namespace}.*", "hydra.openid.id-token"])];
        assert!(is_granted(&rules, "shop", "shop.payments"));
        assert!(is_granted(&rules, "shop", "SHOP.payments"));
        assert!(is_granted(&rules, "shop", "hydra.openid.id-token"));
        for set in ["shop", "shop.", "shopx.payments", "bank.payments", "hydra.openid.id-token2", "hydra.jwt.access-token"] {
            assert!(!is_granted(&rules, "shop", set), "{set}");
        }
        assert!(!is_granted(&rules, "bank", "shop.payments"));
    }

    #[test]
    fn a_segment_is_replaced_as_a_whole() {
        let rules = [rule(None, &["prod:{namespace}:*", "x{namespace}.*"])];
        assert!(is_granted(&rules, "shop", "prod:shop:a.b"));
        assert!(!is_granted(&rules, "shop", "prod:bank:a"));
        assert!(!is_granted(&rules, "shop", "xshop.a"), "the placeholder is no whole segment there");
    }

    #[test]
    fn a_namespace_called_hydra_reaches_none_of_hydras_sets() {
        assert!(!is_granted(&[rule(None, &["{namespace}.*", "{namespace}.openid.id-token"])], "hydra", "hydra.openid.id-token"));
    }
}
