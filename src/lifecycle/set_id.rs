//! The id of a remote set.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
};

/// The id of a remote set, which Ory Hydra calls `set` in the paths of its admin API (`/admin/keys/{set}`).
///
/// Two that differ in the case of letters only are equal: Hydra on MySQL takes them for one set. On other databases they are two, so the id is
/// shown and sent as it was written.
#[derive(Clone)]
pub struct SetId(Box<str>);

impl SetId {
    /// The set in which keys of this one wait until they are announced and sign. No spec can name it: `~` is no character of a set id.
    pub fn staged(&self) -> Self {
        Self::from(format!("{self}~next"))
    }

    /// Whether Hydra keeps this set for itself and may sign with it at any time.
    pub fn is_hydras_own(&self) -> bool {
        self.strip_prefix("hydra.").is_some()
    }

    /// What follows on `prefix`; `None` if the id does not begin with it.
    pub fn strip_prefix(&self, prefix: &str) -> Option<&str> {
        let (head, rest) = self.0.split_at_checked(prefix.len())?;
        head.eq_ignore_ascii_case(prefix).then_some(rest)
    }

    /// Whether the id ends with `suffix`.
    pub fn ends_with(&self, suffix: &str) -> bool {
        let tail = self.0.len().checked_sub(suffix.len()).and_then(|start| self.0.get(start..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(suffix))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What two are compared by.
    fn folded(&self) -> impl Iterator<Item = u8> {
        self.0.bytes().map(|byte| byte.to_ascii_lowercase())
    }
}

impl PartialEq for SetId {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for SetId {}

impl PartialOrd for SetId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SetId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded().cmp(other.folded())
    }
}

impl Hash for SetId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.folded().for_each(|byte| state.write_u8(byte));
        // No byte of UTF-8, so that what is hashed next does not run into it.
        state.write_u8(0xff);
    }
}

impl From<&str> for SetId {
    fn from(set: &str) -> Self {
        Self(set.into())
    }
}

impl From<String> for SetId {
    fn from(set: String) -> Self {
        Self(set.into_boxed_str())
    }
}

impl fmt::Display for SetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, collections::HashSet};

    use super::*;

    #[test]
    fn case_makes_no_difference_and_is_shown() {
        let (one, other) = (SetId::from("Shop.Payments"), SetId::from("shop.payments"));
        assert!(one == other && one != SetId::from("shop.payment"));
        assert_eq!((one.to_string(), format!("{:?}", one.staged())), ("Shop.Payments".to_owned(), r#""Shop.Payments~next""#.to_owned()));
        assert_eq!(HashSet::from([one.clone(), other.clone()]).len(), 1);
        assert_eq!(BTreeSet::from([one.clone(), other, SetId::from("SHOP"), SetId::from("shop.payments.x")]).len(), 3);
        assert!(SetId::from("SHOP.a") < SetId::from("shop.B"));
    }

    #[test]
    fn so_it_does_at_both_ends() {
        let set = SetId::from("Prod-EU:Shop.Payments");
        assert_eq!(set.strip_prefix("prod-eu:"), Some("Shop.Payments"));
        assert_eq!((set.strip_prefix("prod-us:"), set.strip_prefix("prod-eu:shop.payments.x")), (None, None));
        assert!(set.ends_with("shop.payments") && !set.ends_with("bank.payments") && !set.ends_with("x:prod-eu:shop.payments"));
        assert!(SetId::from("HYDRA.openid.id-token").is_hydras_own() && !SetId::from("hydra").is_hydras_own());
        assert!(!SetId::from("hydr\u{e4}.x").is_hydras_own(), "no byte in the middle of a character");
    }
}
