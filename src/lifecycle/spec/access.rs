//! Which namespace may use which set, and how.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use kube::core::{Selector, SelectorExt as _};

use super::pattern::SetPattern;
use crate::api::{AccessRule, AdminApiSpec, LabelOperator, Mode, NamespaceSelector, Namespaces};
use crate::lifecycle::set_id::SetId;

/// The labels of a namespace.
pub type Labels = BTreeMap<String, String>;

/// What a namespace may do with a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Whether it may write the set, or only read it.
    pub mode: Mode,
    /// Whether its private keys may be written into a Secret of the namespace.
    pub private_export: bool,
}

/// What the rules let `namespace` do with `set`; `None` for nothing. Rules add up, and no rule grants nothing.
///
/// `labels` are those of the namespace, `None` while they are not known: then no selector holds.
pub fn grant(api: &AdminApiSpec, namespace: &str, labels: Option<&Labels>, set: &SetId) -> Option<Grant> {
    let set = &without_prefix(api, set)?;
    let rules = api.access.iter().filter(|rule| holds_for(&rule.namespaces, namespace, labels) && names(rule, namespace, set));
    rules.map(granted).reduce(|one, other| Grant {
        mode: if one.mode == Mode::Enforce { Mode::Enforce } else { other.mode },
        private_export: one.private_export || other.private_export,
    })
}

fn granted(rule: &AccessRule) -> Grant {
    Grant { mode: rule.mode.unwrap_or_default(), private_export: rule.private_export.unwrap_or_default() }
}

/// The id that patterns are compared with: without the AdminApi's prefix, which every set of it carries.
fn without_prefix(api: &AdminApiSpec, set: &SetId) -> Option<SetId> {
    set.strip_prefix(prefix(api)).map(SetId::from)
}

/// What every set id of an AdminApi begins with.
pub(in crate::lifecycle) fn prefix(api: &AdminApiSpec) -> &str {
    api.set_prefix.as_deref().unwrap_or_default()
}

fn names(rule: &AccessRule, namespace: &str, set: &SetId) -> bool {
    rule.sets.iter().any(|pattern| SetPattern::parse(pattern).covers(namespace, set))
}

fn holds_for(namespaces: &Namespaces, namespace: &str, labels: Option<&Labels>) -> bool {
    match namespaces {
        Namespaces { names: Some(names), selector: None, all: None } => names.iter().any(|name| name == namespace),
        Namespaces { names: None, selector: Some(selector), all: None } => labels.is_some_and(|labels| selects(selector, labels)),
        Namespaces { names: None, selector: None, all: Some(all) } => *all,
        // The API server refuses these; one that was stored before there was a rule grants nothing.
        _ => false,
    }
}

/// Whether a selector selects a namespace with these labels. One that says nothing, or what Kubernetes would refuse, selects none.
fn selects(selector: &NamespaceSelector, labels: &Labels) -> bool {
    let needs_values = |operator| matches!(operator, LabelOperator::In | LabelOperator::NotIn);
    let is_valid = selector.match_expressions.iter().all(|expression| needs_values(expression.operator) != expression.values.is_empty());
    let requirements = selector.match_expressions.iter().map(|expression| LabelSelectorRequirement {
        key: expression.key.clone(),
        operator: format!("{:?}", expression.operator),
        values: Some(expression.values.clone()).filter(|values| !values.is_empty()),
    });
    let selector = LabelSelector { match_labels: Some(selector.match_labels.clone()), match_expressions: Some(requirements.collect()) };
    is_valid && Selector::try_from(selector).is_ok_and(|selector| !selector.selects_all() && selector.matches(labels))
}

/// Whether the rules let no other namespace write `set`.
pub fn is_exclusive(api: &AdminApiSpec, namespace: &str, set: &SetId) -> bool {
    let Some(set) = without_prefix(api, set).map(|set| SetPattern::parse(set.as_str())) else { return true };
    let writers = api.access.iter().filter(|rule| granted(rule).mode == Mode::Enforce);
    let ours = Candidates::Named(vec![namespace.to_owned()]);
    !writers.into_iter().any(|rule| {
        let bound = rule.sets.iter().filter_map(|pattern| SetPattern::parse(pattern).meets(&set));
        bound.into_iter().any(|(name, _)| can_differ(&candidates(&rule.namespaces, name), &ours))
    })
}

/// Where the rules let different namespaces reach one set, in words; empty if they do not.
///
/// A rule that only observes, and exports nothing, takes nothing from anybody and is left out.
pub fn overlaps(rules: &[AccessRule]) -> Vec<String> {
    let mut found = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        for (other_index, other) in rules.iter().enumerate().skip(index) {
            let is_harmless = [rule, other].iter().any(|rule| granted(rule) == Grant { mode: Mode::Observe, private_export: false });
            if let Some((pattern, other_pattern)) = shared_patterns(rule, other).filter(|_| !is_harmless) {
                found.push(if index == other_index && pattern == other_pattern {
                    format!("access[{index}] lets several namespaces use the sets that match {pattern}")
                } else {
                    format!(
                        "access[{index}] ({pattern}) and access[{other_index}] ({other_pattern}) let different namespaces use the same set"
                    )
                });
            }
        }
    }
    found
}

/// Two patterns of two rules by which two namespaces reach one set.
fn shared_patterns<'rules>(rule: &'rules AccessRule, other: &'rules AccessRule) -> Option<(&'rules str, &'rules str)> {
    let pairs = || rule.sets.iter().flat_map(|pattern| other.sets.iter().map(move |other| (pattern.as_str(), other.as_str())));
    // What one pattern gives to several is the plainest example.
    pairs().filter(|(one, two)| one == two).chain(pairs()).find(|(pattern, other_pattern)| {
        let met = SetPattern::parse(pattern).meets(&SetPattern::parse(other_pattern));
        met.is_some_and(|(ours, theirs)| can_differ(&candidates(&rule.namespaces, ours), &candidates(&other.namespaces, theirs)))
    })
}

/// The namespaces that a rule may apply to.
enum Candidates {
    /// These.
    Named(Vec<String>),
    /// Any: those that exist, and those of the future.
    Any,
}

fn candidates(namespaces: &Namespaces, bound: Option<String>) -> Candidates {
    match (&namespaces.names, bound) {
        (Some(names), Some(bound)) => Candidates::Named(names.iter().filter(|name| **name == bound).cloned().collect()),
        (Some(names), None) => Candidates::Named(names.clone()),
        (None, Some(bound)) => Candidates::Named(vec![bound]),
        (None, None) => Candidates::Any,
    }
}

/// Whether one of the first and another one of the second exist.
fn can_differ(ours: &Candidates, theirs: &Candidates) -> bool {
    match (ours, theirs) {
        (Candidates::Any, Candidates::Any) => true,
        (Candidates::Any, Candidates::Named(names)) | (Candidates::Named(names), Candidates::Any) => !names.is_empty(),
        (Candidates::Named(ours), Candidates::Named(theirs)) => ours.iter().any(|name| theirs.iter().any(|other| name != other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::LabelExpression;

    fn names(names: &[&str]) -> Namespaces {
        Namespaces { names: Some(names.iter().map(ToString::to_string).collect()), ..Namespaces::default() }
    }

    fn all() -> Namespaces {
        Namespaces { all: Some(true), ..Namespaces::default() }
    }

    fn labelled(label: &str, value: &str) -> Namespaces {
        let selector = NamespaceSelector { match_labels: labels(label, value), ..NamespaceSelector::default() };
        Namespaces { selector: Some(selector), ..Namespaces::default() }
    }

    fn labels(label: &str, value: &str) -> Labels {
        Labels::from([(label.to_owned(), value.to_owned())])
    }

    fn rule(namespaces: Namespaces, sets: &[&str]) -> AccessRule {
        AccessRule { namespaces, sets: sets.iter().map(ToString::to_string).collect(), ..AccessRule::default() }
    }

    fn api(access: Vec<AccessRule>) -> AdminApiSpec {
        AdminApiSpec { access, ..AdminApiSpec::default() }
    }

    fn may(api: &AdminApiSpec, namespace: &str, set: &str) -> bool {
        grant(api, namespace, Some(&Labels::new()), &set.into()).is_some()
    }

    #[test]
    fn no_rule_grants_nothing() {
        assert!(!may(&api(vec![]), "shop", "shop.payments"));
        assert!(!may(&api(vec![rule(Namespaces::default(), &["{namespace}.*"])]), "shop", "shop.payments"), "nobody is named");
    }

    #[test]
    fn a_namespace_reaches_what_its_rules_name() {
        let api = api(vec![rule(names(&["shop"]), &["{namespace}.*"]), rule(names(&["shop", "id"]), &["hydra.openid.id-token"])]);
        assert!(
            may(&api, "shop", "shop.payments") && may(&api, "shop", "HYDRA.openid.id-token") && may(&api, "id", "hydra.openid.id-token")
        );
        assert!(!may(&api, "bank", "bank.payments") && !may(&api, "id", "id.payments") && !may(&api, "shop", "hydra.jwt.access-token"));
    }

    #[test]
    fn labels_decide_and_unknown_ones_grant_nothing() {
        let team = api(vec![rule(labelled("team", "shop"), &["{namespace}.*"])]);
        assert!(grant(&team, "a", Some(&labels("team", "shop")), &"a.x".into()).is_some());
        assert!(grant(&team, "a", Some(&labels("team", "bank")), &"a.x".into()).is_none());
        let expression = |operator, values: &[&str]| {
            let values = values.iter().map(ToString::to_string).collect();
            let selector = NamespaceSelector {
                match_expressions: vec![LabelExpression { key: "team".into(), operator, values }],
                ..NamespaceSelector::default()
            };
            api(vec![rule(Namespaces { selector: Some(selector), ..Namespaces::default() }, &["{namespace}.*"])])
        };
        let absent = expression(LabelOperator::DoesNotExist, &[]);
        assert!(grant(&absent, "a", Some(&Labels::new()), &"a.x".into()).is_some());
        assert!(grant(&absent, "a", None, &"a.x".into()).is_none(), "a namespace that was not seen yet");
        assert!(grant(&expression(LabelOperator::NotIn, &["bank"]), "a", Some(&labels("team", "shop")), &"a.x".into()).is_some());
        assert!(grant(&expression(LabelOperator::NotIn, &[]), "a", Some(&labels("team", "shop")), &"a.x".into()).is_none(), "not valid");
        let empty = Namespaces { selector: Some(NamespaceSelector::default()), ..Namespaces::default() };
        assert!(grant(&api(vec![rule(empty, &["{namespace}.*"])]), "a", Some(&Labels::new()), &"a.x".into()).is_none());
    }

    #[test]
    fn rules_add_up_for_their_own_sets_only() {
        let observe = AccessRule { mode: Some(Mode::Observe), ..rule(all(), &["shared.*"]) };
        let export = AccessRule { private_export: Some(true), ..rule(names(&["shop"]), &["shared.tokens"]) };
        let api = api(vec![observe, export]);
        let granted = |namespace, set: &str| grant(&api, namespace, Some(&Labels::new()), &set.into());
        assert_eq!(granted("bank", "shared.tokens"), Some(Grant { mode: Mode::Observe, private_export: false }));
        assert_eq!(granted("shop", "shared.tokens"), Some(Grant { mode: Mode::Enforce, private_export: true }));
        assert_eq!(granted("shop", "shared.other"), Some(Grant { mode: Mode::Observe, private_export: false }));
    }

    #[test]
    fn a_prefix_is_part_of_every_set_and_of_no_pattern() {
        let api =
            AdminApiSpec { set_prefix: Some("prod-eu:".into()), ..api(vec![rule(all(), &["{namespace}.*", "hydra.openid.id-token"])]) };
        assert!(may(&api, "shop", "prod-eu:shop.payments") && may(&api, "shop", "PROD-eu:shop.payments"));
        assert!(!may(&api, "shop", "shop.payments") && !may(&api, "shop", "prod-us:shop.payments"));
        assert!(!may(&api, "shop", "hydra.openid.id-token"), "no two clusters share Hydra's own sets");
    }

    #[test]
    fn a_set_is_exclusive_that_no_other_namespace_may_write() {
        let observe = AccessRule { mode: Some(Mode::Observe), ..rule(all(), &["shared.*"]) };
        let own = rule(names(&["shop", "bank"]), &["{namespace}.*"]);
        let api = api(vec![own, rule(names(&["shop"]), &["shared.x"]), rule(names(&["bank"]), &["own.*"]), observe]);
        assert!(
            is_exclusive(&api, "shop", &"shop.a".into())
                && is_exclusive(&api, "shop", &"shared.x".into())
                && is_exclusive(&api, "bank", &"own.a".into())
        );
        assert!(
            !is_exclusive(&api, "bank", &"shared.x".into())
                && !is_exclusive(&api, "bank", &"shop.a".into())
                && !is_exclusive(&api, "shop", &"OWN.a".into())
        );
    }

    #[test]
    fn a_namespace_may_be_called_like_the_first_part_of_a_shared_set() {
        let api = api(vec![rule(all(), &["{namespace}.*"]), rule(names(&["shop"]), &["shared.x"])]);
        assert!(is_exclusive(&api, "shop", &"shop.a".into()) && !is_exclusive(&api, "shop", &"shared.x".into()));
    }

    #[test]
    fn overlaps_are_told_where_different_namespaces_reach_one_set() {
        let told = |rules: &[AccessRule]| overlaps(rules);
        assert!(told(&[rule(all(), &["{namespace}.*"])]).is_empty(), "each its own");
        assert!(told(&[rule(names(&["a"]), &["{namespace}.*", "shared.x"]), rule(names(&["b"]), &["{namespace}.*"])]).is_empty());
        assert_eq!(told(&[rule(names(&["a", "b"]), &["shared.x"])]).len(), 1, "one rule, two namespaces");
        assert_eq!(told(&[rule(names(&["a"]), &["shared.*"]), rule(names(&["b"]), &["shared.x"])]).len(), 1);
        assert!(told(&[rule(names(&["a"]), &["shared.*"]), rule(names(&["a"]), &["shared.x"])]).is_empty(), "one namespace");
        assert_eq!(told(&[rule(names(&["a"]), &["b.*"]), rule(all(), &["{namespace}.*"])]).len(), 1, "namespace b is meant by both");
        assert_eq!(told(&[rule(names(&["a"]), &["{namespace}.*"]), rule(labelled("x", "y"), &["{namespace}.*"])]), [] as [&str; 0]);
        assert_eq!(told(&[rule(names(&["a"]), &["{namespace}.*"]), rule(labelled("x", "y"), &["a.x"])]).len(), 2, "many may carry a label");
        let observe = AccessRule { mode: Some(Mode::Observe), ..rule(all(), &["shared.*"]) };
        assert!(told(&[rule(names(&["a"]), &["shared.x"]), observe.clone()]).is_empty(), "to observe takes nothing away");
        let export = AccessRule { private_export: Some(true), ..observe };
        assert_eq!(told(&[rule(names(&["a"]), &["shared.x"]), export]).len(), 2, "but private keys do, also among themselves");
    }
}
