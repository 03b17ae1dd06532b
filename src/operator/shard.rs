//! The part of the resources that one of several operators works on, chosen by their labels.

use std::str::FromStr;

use kube::core::{Expression, Selector, SelectorExt as _};

use crate::lifecycle::spec::access::Labels;

/// The resources that this operator works on. All others are watched too: one of them may own a set.
#[derive(Clone, Debug)]
pub struct Shard(Selector);

/// Why a text is no label selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseSelectorError {
    /// It chooses nothing, or everything.
    #[error("it is empty: name at least one label")]
    Empty,
    /// One of its parts is none of the forms.
    #[error("{0:?} must be one of: key=value, key!=value, key in (a,b), key notin (a,b), key, !key")]
    Requirement(String),
}

impl Shard {
    /// Whether a resource with these labels is one of them.
    pub(super) fn holds(&self, labels: &Labels) -> bool {
        self.0.matches(labels)
    }
}

impl FromStr for Shard {
    type Err = ParseSelectorError;

    /// Parses a selector as `kubectl --selector` takes it.
    fn from_str(text: &str) -> Result<Self, ParseSelectorError> {
        let parts = split(text);
        if parts.is_empty() {
            return Err(ParseSelectorError::Empty);
        }
        let parse = |part: &&str| requirement(part).ok_or_else(|| ParseSelectorError::Requirement((*part).to_owned()));
        Ok(Self(parts.iter().map(parse).collect::<Result<Vec<_>, _>>()?.into_iter().collect()))
    }
}

/// The parts between commas that are not in parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    let parts = text.split(move |character| {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        character == ',' && depth == 0
    });
    if text.trim().is_empty() { Vec::new() } else { parts.map(str::trim).collect() }
}

fn requirement(part: &str) -> Option<Expression> {
    let listed = |operator: &str| {
        let (key, values) = part.split_once(operator)?;
        let values = values.trim().strip_prefix('(')?.strip_suffix(')')?;
        let values: Option<Vec<_>> = values.split(',').map(|value| label(value, true)).collect();
        Some((label(key, false)?, values?.into_iter().collect()))
    };
    if let Some((key, values)) = listed(" notin ").or_else(|| listed(" notin")) {
        return Some(Expression::NotIn(key, values));
    }
    if let Some((key, values)) = listed(" in ").or_else(|| listed(" in")) {
        return Some(Expression::In(key, values));
    }
    if let Some((key, value)) = part.split_once("!=") {
        return Some(Expression::NotEqual(label(key, false)?, label(value, true)?));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Some(Expression::Equal(label(key, false)?, label(value, true)?));
    }
    match part.strip_prefix('!') {
        Some(key) => Some(Expression::DoesNotExist(label(key, false)?)),
        None => Some(Expression::Exists(label(part, false)?)),
    }
}

/// A key or a value of a label: letters, digits, `-`, `_`, `.`, and `/` in keys.
fn label(text: &str, is_value: bool) -> Option<String> {
    let text = text.trim();
    let is_allowed = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character) || (character == '/' && !is_value);
    (text.chars().all(is_allowed) && (is_value || !text.is_empty())).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(selector: &str, labels: &[(&str, &str)]) -> bool {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        selector.parse::<Shard>().expect("a selector").holds(&labels)
    }

    #[test]
    fn each_form_of_kubectl_chooses_what_it_does_there() {
        assert!(holds("shard=a", &[("shard", "a")]) && !holds("shard == a", &[("shard", "b")]) && !holds("shard=a", &[]));
        assert!(holds("shard!=a", &[]) && holds("shard != a", &[("shard", "b")]) && !holds("shard!=a", &[("shard", "a")]));
        assert!(holds("shard in (a, b)", &[("shard", "b")]) && !holds("shard in (a,b)", &[("shard", "c")]));
        assert!(holds("shard notin (a,b)", &[]) && !holds("shard notin (a,b)", &[("shard", "a")]));
        assert!(holds("example.com/shard", &[("example.com/shard", "")]) && !holds("shard", &[]));
        assert!(holds("!shard", &[]) && !holds("!shard", &[("shard", "a")]));
        assert!(holds("shard in (a,b),team=x", &[("shard", "a"), ("team", "x")]));
        assert!(!holds("shard in (a,b),team=x", &[("shard", "a"), ("team", "y")]));
    }

    #[test]
    fn anything_else_is_refused_with_the_part_that_is_wrong() {
        for text in ["", "  "] {
            assert_eq!(text.parse::<Shard>().expect_err(text), ParseSelectorError::Empty);
        }
        for (text, part) in
            [("a=b,,c=d", ""), ("a in b", "a in b"), ("a=b c", "a=b c"), ("a,b=(c)", "b=(c)"), ("=a", "=a"), ("a in (b", "a in (b")]
        {
            assert_eq!(text.parse::<Shard>().expect_err(text), ParseSelectorError::Requirement(part.to_owned()), "{text}");
        }
    }
}
