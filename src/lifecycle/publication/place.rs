//! Which targets are written and removed, so that they hold what is shown.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    HeldTarget, Local, TargetContent, TargetFailure, TargetId, TargetState, TargetStep, Wanted,
    form::{self, LeftOut, PublicKeys},
    render,
    target::content,
    wanted::{PrivateKeys, Target},
};
use crate::{
    api::{KeyState, PublicForm, Reason, TargetKind},
    jwk::{Jwk, Kid, PublicJwk},
    lifecycle::{
        entry_name::EntryName,
        findings::{Severity, Trouble},
        rank::Rank,
        record::{KeyRecord, Record},
        set_id::SetId,
    },
};

/// What verifiers are to find in the targets.
pub(in crate::lifecycle) struct Shown<'keys> {
    /// The public halves, by kid.
    pub(in crate::lifecycle) public: BTreeMap<Kid, PublicJwk>,
    /// The kid of the key that signs.
    pub(in crate::lifecycle) signer: Option<Kid>,
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
        published.troubles.extend(look.left_out(target));
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
        let content = self.content(target).filter(|content| !self.is_empty_by_mistake(target, content, state));
        match (state, content) {
            (TargetState::Absent, Some(content)) => Verdict::Due(Rank::Publish, write(id, content, None)),
            (TargetState::Held(held), Some(content)) if held.content.differs_from(&content) || !held.can_become(&content) => {
                Verdict::Due(self.rank(held), write(id, content, Some(held)))
            }
            (TargetState::Held(_), Some(_)) => Verdict::Holds,
            (TargetState::Held(held), None) if self.can_withdraw(held) => Verdict::Due(self.rank(held), self.withdraw(id, held)),
            // What it holds is right as far as it is known.
            (TargetState::Held(held), None) if is_private_copy(id, held) => Verdict::Holds,
            (TargetState::Held(held), None) => match self.kept_up(id, held) {
                Verdict::Waits(None) => Verdict::Waits(self.lacks_signer(target)),
                verdict => verdict,
            },
            (TargetState::Absent, None) => Verdict::Waits(self.lacks_signer(target)),
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
            TargetState::Held(held) => self.kept_up(id, held),
            TargetState::Failed { why, .. } => Verdict::Waits(Some(failed(why, format!("{id} cannot be removed: {}", why.message)))),
            TargetState::Absent | TargetState::Foreign => Verdict::Waits(None),
        }
    }

    /// What a target that the spec names must hold; `None` if that is not known while the remote set cannot be read.
    fn content(&self, target: &Target) -> Option<TargetContent> {
        let public = self.public_in(&target.id);
        let keys = self.keys(&target.id, &public);
        match (target.private, &self.shown.source) {
            (None, _) => Some(content(target, &self.wanted.set, keys, &[])),
            (Some(_), Source::Set(private)) => Some(content(target, &self.wanted.set, keys, private)),
            (Some(_), Source::Record { .. }) => None,
        }
    }

    /// A target of public halves follows them in its own form, until what it shall hold instead is known.
    fn kept_up(&self, id: &TargetId, held: &HeldTarget) -> Verdict {
        match self.continued(id, held) {
            Some(content) => Verdict::Due(self.rank(held), write(id, content, Some(held))),
            None => Verdict::Waits(None),
        }
    }

    /// What a target of public halves that the spec does not name must hold until it is removed; `None` if it does.
    fn continued(&self, id: &TargetId, held: &HeldTarget) -> Option<TargetContent> {
        let public = self.public_in(id);
        let keys = self.keys(id, &public);
        let mut content = held.content.own_part();
        let form = content.form();
        content.data = match form {
            PublicForm::PemPerKey => keys.data(form, ""),
            _ => held.content.data.keys().flat_map(|name| keys.data(form, name)).collect(),
        };
        let is_needed = held.content.differs_from(&content) && (content.keys().next().is_some() || self.shows_revoked(held));
        is_needed.then_some(content)
    }

    fn keys<'keys>(&'keys self, id: &TargetId, public: &'keys BTreeMap<Kid, PublicJwk>) -> PublicKeys<'keys> {
        let held = self.local.held(id).map(|held| &held.content.data);
        PublicKeys { keys: public, signer: self.shown.signer.as_ref(), record: self.record, revoked: &self.wanted.revoked, held }
    }

    /// The first key that the form of a target cannot show.
    fn left_out(&self, target: &Target) -> Option<Trouble> {
        let public = self.public_in(&target.id);
        let (kid, why) = self.keys(&target.id, &public).left_out(target.form).into_iter().next()?;
        let (id, form) = (&target.id, target.form.as_str());
        let why = match why {
            LeftOut::TakenBy(other) => {
                format!("its data key is that of kid {other}, in which every character but letters, digits, _ and - becomes _")
            }
            LeftOut::TooLong => "it is longer than a data key may be".to_owned(),
        };
        Some(trouble(
            Reason::TargetFailed,
            Severity::Stalled,
            format!(
                "{id} cannot hold kid {kid} in the form {form}: {why}; the other keys are published. Give the key another kid, or use the form PEM"
            ),
        ))
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

    /// Why a target for the signer's key alone is not made.
    fn lacks_signer(&self, target: &Target) -> Option<Trouble> {
        let message = || format!("{} waits for a key that signs: set {} has none that verifiers can be given", target.id, self.wanted.set);
        (target.form == PublicForm::PemSigner).then(|| trouble(Reason::TargetFailed, Severity::Waiting, message()))
    }

    /// Whether a document without keys would be written although keys are asked for: the first one, or one that replaces keys which nobody
    /// revoked.
    fn is_empty_by_mistake(&self, target: &Target, content: &TargetContent, state: &TargetState) -> bool {
        let is_empty = !content.is_private() && content.keys().next().is_none();
        let replaces_nothing = match state {
            TargetState::Held(held) => self.shows_nothing(held) || self.shows_revoked(held),
            TargetState::Absent | TargetState::Foreign | TargetState::Failed { .. } => false,
        };
        let is_first_of_signer = target.form == PublicForm::PemSigner && matches!(state, TargetState::Absent);
        let has_nothing_to_show = |name: &EntryName| self.has_nothing_to_show(name, target.form);
        // Of a lost status everything stays.
        let is_forgotten = self.record.is_empty() && matches!(state, TargetState::Held(_));
        is_empty && !replaces_nothing && (is_first_of_signer || is_forgotten || !self.wanted.readable.iter().all(has_nothing_to_show))
    }

    /// Whether an entry has its keys, and none that a form shows: they are symmetric, or PEM has no place for them.
    fn has_nothing_to_show(&self, name: &EntryName, form: PublicForm) -> bool {
        let keys = || self.record.keys.values().filter(|key| key.name.as_ref() == Some(name));
        let active = || keys().filter(|key| key.state == KeyState::Active);
        let is_shown = |key: &KeyRecord| key.jwk.as_ref().is_some_and(|key| form::shows(form, key));
        match form {
            PublicForm::PemSigner if active().next().is_some() => !active().any(is_shown),
            // The public key of somebody else is none that signs here. One that did may have been lost.
            PublicForm::PemSigner => keys().any(|key| key.state != KeyState::Planned) && keys().all(|key| key.activated_at.is_none()),
            PublicForm::Jwks | PublicForm::Pem | PublicForm::PemPerKey => active().any(|key| !is_shown(key)),
        }
    }

    /// Whether a reader finds no key in it. In PEM it finds also those that nobody remembers.
    fn shows_nothing(&self, held: &HeldTarget) -> bool {
        match held.content.form() {
            PublicForm::Jwks => held.content.published_by(self.record).is_empty(),
            PublicForm::Pem | PublicForm::PemSigner | PublicForm::PemPerKey => held.content.keys().next().is_none(),
        }
    }

    fn shows_revoked(&self, held: &HeldTarget) -> bool {
        let private = held.content.private_kids();
        // A key without a kid is revoked under any of its kids.
        let revoked: Vec<_> = self.wanted.revoked.iter().filter_map(|kid| self.record.keys.get(kid)).collect();
        let is_revoked = |key: PublicJwk| key.kid().is_none() && revoked.iter().any(|known| known.is(&key));
        held.content.published_by(self.record).keys().chain(&private).any(|kid| self.wanted.revoked.contains(kid))
            || held.content.keys().any(is_revoked)
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
