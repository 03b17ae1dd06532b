//! Which targets are written and removed, so that they hold what is shown.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    HeldTarget, Local, TargetContent, TargetFailure, TargetId, TargetState, TargetStep, Wanted, document, render,
    target::content,
    wanted::{PrivateKeys, Target},
};
use crate::{
    api::{KeyState, Reason, TargetKind},
    jwk::{Jwk, Kid, PublicJwk},
    lifecycle::{
        entry_name::EntryName,
        findings::{Severity, Trouble},
        rank::Rank,
        record::Record,
        set_id::SetId,
    },
};

/// What verifiers are to find in the targets.
pub(in crate::lifecycle) struct Shown<'keys> {
    /// The public halves, by kid.
    pub(in crate::lifecycle) public: BTreeMap<Kid, PublicJwk>,
    /// What it comes from.
    pub(in crate::lifecycle) source: Source<'keys>,
    /// When revoked keys leave.
    pub(in crate::lifecycle) withdrawal: Rank,
}

/// What the keys come from that are shown.
pub(in crate::lifecycle) enum Source<'keys> {
    /// The record, and the set as it was read: with its private keys, the signer first, for where they are granted.
    Set(Vec<&'keys Jwk>),
    /// The record alone.
    Record {
        /// The kids that stay only where they still are: they retired long enough ago by a clock that nobody compared.
        over: BTreeSet<Kid>,
    },
}

/// What has to be done about the targets.
#[derive(Debug, Default)]
pub(in crate::lifecycle) struct Published {
    /// What is due, in the order of discovery.
    pub(in crate::lifecycle) steps: Vec<(Rank, TargetStep)>,
    /// What blocks it.
    pub(in crate::lifecycle) troubles: Vec<Trouble>,
    /// The targets that were written and not removed, to be remembered.
    pub(in crate::lifecycle) written: BTreeSet<TargetId>,
}

/// What has to be done about one target.
enum Verdict {
    /// It holds what it should.
    Holds,
    /// This step, when its turn comes.
    Due(Rank, TargetStep),
    /// Nothing can be done now, and why if that is not known already.
    Waits(Option<Trouble>),
}

/// What the targets are decided by.
struct Placement<'look> {
    wanted: &'look Wanted,
    shown: &'look Shown<'look>,
    /// What is to be remembered, which may be ahead of what was.
    record: &'look Record,
    local: &'look Local,
}

/// Decides which targets must be written or removed so that they hold what is shown. What `publish` no longer names goes only when everything
/// that it names holds the keys. `record` is what is to be remembered: it may be ahead of the one in `local`.
pub(in crate::lifecycle) fn publish(wanted: &Wanted, shown: &Shown<'_>, record: &Record, local: &Local) -> Published {
    let look = Placement { wanted, shown, record, local };
    let mut published = Published { written: record.targets.clone(), ..Published::default() };
    let mut all_hold = true;
    for target in &wanted.targets {
        let Some(state) = local.targets.get(&target.id) else {
            // It could not be read.
            all_hold = false;
            continue;
        };
        let verdict = look.named(target, state);
        all_hold &= matches!(verdict, Verdict::Holds);
        published.note(&target.id, local, verdict);
    }
    for (id, state) in local.targets.iter().filter(|(id, _)| !wanted.targets.iter().any(|target| target.id == **id)) {
        published.note(id, local, look.dropped(id, state, all_hold));
        if matches!(state, TargetState::Absent | TargetState::Foreign) {
            published.written.remove(id);
        }
    }
    published.troubles.extend(wanted.withheld.iter().map(|id| withheld(id, &wanted.set)));
    published
}

impl Published {
    fn note(&mut self, id: &TargetId, local: &Local, verdict: Verdict) {
        if local.held(id).is_some() {
            self.written.insert(id.clone());
        }
        match verdict {
            Verdict::Holds | Verdict::Waits(None) => {}
            Verdict::Due(rank, step) => self.steps.push((rank, step)),
            Verdict::Waits(Some(trouble)) => self.troubles.push(trouble),
        }
    }
}

impl Placement<'_> {
    /// A target that the spec names.
    fn named(&self, target: &Target, state: &TargetState) -> Verdict {
        let id = &target.id;
        let content = self.content(target).filter(|content| !self.is_empty_by_mistake(content, state));
        match (state, content) {
            (TargetState::Absent, Some(content)) => Verdict::Due(Rank::Publish, write(id, content, None)),
            (TargetState::Held(held), Some(content)) if held.content.differs_from(&content) || !held.can_become(&content) => {
                Verdict::Due(self.rank(held), write(id, content, Some(held)))
            }
            (TargetState::Held(_), Some(_)) => Verdict::Holds,
            (TargetState::Held(held), None) if self.can_withdraw(held) => Verdict::Due(self.rank(held), self.withdraw(id, held)),
            // What it holds is right as far as it is known.
            (TargetState::Held(held), None) if is_private_copy(id, held) => Verdict::Holds,
            (TargetState::Absent | TargetState::Held(_), None) => Verdict::Waits(None),
            (TargetState::Foreign, _) => Verdict::Waits(Some(trouble(
                Reason::TargetNotOwned,
                Severity::Stalled,
                format!("{id} exists and is not owned by this resource: it is left as it is; publish under another name, or delete it"),
            ))),
            (TargetState::Failed { why, .. }, _) => Verdict::Waits(Some(failed(why, format!("{id} cannot be written: {}", why.message)))),
        }
    }

    /// A target of the operator that the spec does not name.
    fn dropped(&self, id: &TargetId, state: &TargetState, all_hold: bool) -> Verdict {
        let remove = |held: &HeldTarget| TargetStep::Remove { id: id.clone(), uid: held.uid.clone() };
        match state {
            TargetState::Held(held) if is_private_copy(id, held) && self.is_withdrawn(id) => Verdict::Due(Rank::Revoke, remove(held)),
            TargetState::Held(held) if self.wanted.is_complete && all_hold => Verdict::Due(Rank::Publish, remove(held)),
            TargetState::Held(held) if is_private_copy(id, held) => {
                if self.can_withdraw(held) {
                    Verdict::Due(self.rank(held), self.withdraw(id, held))
                } else {
                    Verdict::Waits(None)
                }
            }
            TargetState::Held(held) => match self.continued(id, held) {
                Some(content) => Verdict::Due(self.rank(held), write(id, content, Some(held))),
                None => Verdict::Waits(None),
            },
            TargetState::Failed { why, .. } => Verdict::Waits(Some(failed(why, format!("{id} cannot be removed: {}", why.message)))),
            TargetState::Absent | TargetState::Foreign => Verdict::Waits(None),
        }
    }

    /// What a target that the spec names must hold; `None` if that is not known while the remote set cannot be read.
    fn content(&self, target: &Target) -> Option<TargetContent> {
        let public = self.public_in(&target.id);
        match (target.private, &self.shown.source) {
            (None, _) => Some(content(target, &self.wanted.set, &public, &[])),
            (Some(_), Source::Set(private)) => Some(content(target, &self.wanted.set, &public, private)),
            (Some(_), Source::Record { .. }) => None,
        }
    }

    /// What a target of public halves that the spec does not name must hold until it is removed; `None` if it does.
    fn continued(&self, id: &TargetId, held: &HeldTarget) -> Option<TargetContent> {
        let public = self.public_in(id);
        let mut content = held.content.own_part();
        let document = document::public(&public);
        content.data.values_mut().for_each(|held| *held = document.clone());
        let is_needed = held.content.differs_from(&content) && (!public.is_empty() || self.shows_revoked(held));
        is_needed.then_some(content)
    }

    /// The public halves that one target must hold.
    fn public_in(&self, id: &TargetId) -> BTreeMap<Kid, PublicJwk> {
        let mut public = self.shown.public.clone();
        if let (Source::Record { over }, Some(held)) = (&self.shown.source, self.local.held(id)) {
            let there = held.content.published_by(self.record);
            public.retain(|kid, _| !over.contains(kid) || there.contains_key(kid));
            for (kid, key) in render::kept(self.wanted, self.record, there) {
                public.entry(kid).or_insert(key);
            }
        }
        public
    }

    /// Whether a document without keys would be written although keys are asked for: the first one, or one that replaces keys which nobody
    /// revoked.
    fn is_empty_by_mistake(&self, content: &TargetContent, state: &TargetState) -> bool {
        let is_symmetric = |name: &EntryName| {
            let mut keys = self.record.keys.values().filter(|key| key.name.as_ref() == Some(name));
            keys.any(|key| key.state == KeyState::Active && key.jwk.is_none())
        };
        let is_empty = !content.is_private() && content.keys().next().is_none();
        let replaces_nothing = match state {
            TargetState::Held(held) => held.content.published_by(self.record).is_empty() || self.shows_revoked(held),
            TargetState::Absent | TargetState::Foreign | TargetState::Failed { .. } => false,
        };
        is_empty && !replaces_nothing && !self.wanted.readable.iter().all(is_symmetric)
    }

    fn shows_revoked(&self, held: &HeldTarget) -> bool {
        let private = held.content.private_kids();
        held.content.published_by(self.record).keys().chain(&private).any(|kid| self.wanted.revoked.contains(kid))
    }

    /// Whether a key can be taken out of a document of which nobody remembers the text: only by its kid.
    fn can_withdraw(&self, held: &HeldTarget) -> bool {
        let private = held.content.private_kids();
        held.content.published().keys().chain(&private).any(|kid| self.wanted.revoked.contains(kid))
    }

    /// When a target is written: with the revocation, if it shows a revoked key.
    fn rank(&self, held: &HeldTarget) -> Rank {
        if self.shows_revoked(held) { self.shown.withdrawal } else { Rank::Publish }
    }

    /// Whether the grant for private keys in this target is gone.
    fn is_withdrawn(&self, id: &TargetId) -> bool {
        self.wanted.private_keys == PrivateKeys::Denied || self.wanted.withheld.contains(id)
    }

    /// Takes what is revoked out of a document with private keys, of which nobody remembers the text.
    fn withdraw(&self, id: &TargetId, held: &HeldTarget) -> TargetStep {
        TargetStep::Withdraw { id: id.clone(), kids: self.wanted.revoked.clone(), held: Box::new(held.clone()) }
    }
}

/// Whether a Secret holds private keys, or nothing that can be read, which may be some. Whoever puts such a thing into a ConfigMap gets it
/// overwritten.
fn is_private_copy(id: &TargetId, held: &HeldTarget) -> bool {
    let is_unreadable = || held.content.may_be_private() && held.content.keys().next().is_none();
    id.kind == TargetKind::Secret && (held.content.is_private() || is_unreadable())
}

fn write(id: &TargetId, content: TargetContent, replaces: Option<&HeldTarget>) -> TargetStep {
    TargetStep::Write { id: id.clone(), content: Box::new(content), replaces: replaces.cloned().map(Box::new) }
}

/// A target for private keys that the AdminApi does not grant. What was written before is removed like any that is not asked for.
fn withheld(id: &TargetId, set: &SetId) -> Trouble {
    trouble(
        Reason::PrivateExportDenied,
        Severity::Stalled,
        format!(
            "{id} must not hold private keys, since the AdminApi does not grant them for set {set}: ask its owner for a rule with privateExport: true, or publish the public halves"
        ),
    )
}

fn failed(why: &TargetFailure, message: String) -> Trouble {
    trouble(Reason::TargetFailed, if why.stalled { Severity::Stalled } else { Severity::Waiting }, message)
}

fn trouble(reason: Reason, severity: Severity, message: String) -> Trouble {
    Trouble { reason, message, severity, publication: true }
}
