//! Everything that is due: desired × observed × now.
//!
//! Each phase is a function of its own, in a file of its own. It is given what was seen and what the phases before it found, and returns what it
//! finds; nothing that it was given is changed. The record goes through them as a value: each returns the one after it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{forget::forget, limitation, mode};
use crate::lifecycle::{
    Desired, Observed,
    findings::Trouble,
    publication::{self, Published, Shown, Source},
    rank::Rank,
    record::Record,
    remote::{
        due::Due,
        invalid::report_invalid,
        lingering::lingering,
        look::Look,
        recognise::recognise,
        recover::recover,
        refusal::report_refusals,
        retire::retire,
        revoke::{mark_revoked, revoke, withdrawal},
        room, server,
        signer::restore_signer,
        staged::{clear_staged, count_staged},
        supply::supply,
        vanished::put_back_vanished,
    },
    step::Step,
};
use crate::{
    api::{Mode, Reason},
    jwk::{Jwk, Kid, PublicJwk},
};

/// The result of one look at everything.
#[derive(Clone, Debug)]
pub struct Assessment {
    /// What must be remembered.
    pub record: Record,
    /// The public halves to publish, by kid.
    pub published: BTreeMap<Kid, PublicJwk>,
    /// What is due, first things first.
    pub steps: Vec<Step>,
    /// What blocks it.
    pub troubles: Vec<Trouble>,
    /// When the next thing falls due by itself.
    pub due: Option<Timestamp>,
    /// When the next key is due to sign.
    pub next_rotation: Option<Timestamp>,
    /// Where Hydra or verifiers are known to misbehave with what the spec asks for.
    pub limitations: Vec<String>,
}

/// Looks at everything at once.
pub fn assess(desired: &Desired, seen: &Observed, now: Timestamp) -> Assessment {
    let lingering = lingering(desired, seen, now);
    if lingering.is_empty() {
        return assess_all(Look { desired, seen, now });
    }
    let mut desired = desired.clone();
    desired.publication.revoked.extend(lingering.iter().cloned());
    desired.revoked.extend(lingering);
    assess_all(Look { desired: &desired, seen, now })
}

fn assess_all(look: Look<'_>) -> Assessment {
    let Look { desired, seen, .. } = look;
    if server::is_elsewhere(look) {
        let (due, published) = server::leave_alone(look);
        let public = publication::published(&seen.local.record, &desired.publication.revoked, &BTreeSet::new());
        return Assessment::of(look, seen.local.record.clone(), public, due, published);
    }
    let recovered = recover(look);
    let own = recognise(look, &recovered);
    let marked = mark_revoked(look, &recovered, own.record.clone());
    let supply = supply(look, &own, &recovered, marked.record);
    let signer = restore_signer(look, &own.replaced, &supply.active);
    let leaving = retire(look, &own, &supply, &recovered);
    let vanished = put_back_vanished(look, &supply, &recovered, leaving.record);
    let withdrawal = withdrawal(look, &own, &supply);
    let staged_keys = count_staged(look, &supply, &vanished.record);
    let cleared = clear_staged(look, &supply);
    let phases =
        [own.due, marked.due, supply.due, signer, leaving.due, vanished.due, revoke(look, withdrawal), cleared, report_refusals(look)];
    let due = Due::of(phases).without_refused(&seen.refused);
    let expired: BTreeSet<_> = leaving.expired.into_iter().chain(vanished.expired).collect();
    let record = Record { staged_keys, ..vanished.record };

    let (record, due) = if seen.is_opaque { mode::opaque(look, record, due) } else { (record, due) };
    let (record, due, leaves) = match desired.mode {
        Mode::Enforce => (record, due, expired),
        Mode::Observe => {
            let (record, due) = mode::observe(look, &own.record, &record, &expired, due);
            (record, due, BTreeSet::new())
        }
    };
    let room::Fitted { record, due: left_out } =
        room::fit(look, Record { server: Some(desired.server.clone()), signer: seen.signer().map(Kid::from), ..record });
    let due = Due::of([due, left_out]);
    let public = publication::published(&record, &desired.revoked, &leaves);
    let source = Source::Set(exported(look, &own.replaced, &leaves));
    let shown = Shown { public, signer: record.signer.clone(), source, withdrawal };
    let published = publication::publish(&desired.publication, &shown, &record, &seen.local);
    let record = forget(look, &supply.explained, &recovered, &shown.public, record);
    Assessment::of(look, record, shown.public, due, published)
}

/// The private keys of the set that may be exported where it is granted, in the order of the set: the signer first. What somebody else put under
/// an own kid is none of them.
fn exported<'world>(look: Look<'world>, replaced: &BTreeSet<Kid>, expired: &BTreeSet<Kid>) -> Vec<&'world Jwk> {
    let leaves = |kid: &str| replaced.contains(kid) || expired.contains(kid) || look.desired.revoked.contains(kid);
    look.seen.private_keys().filter(|key| key.kid().is_some_and(|kid| !leaves(kid))).collect()
}

impl Assessment {
    /// Of what the remote set needs and of what is to be published, first things first.
    fn of(look: Look<'_>, record: Record, public: BTreeMap<Kid, PublicJwk>, due: Due, published: Published) -> Self {
        let mut clocks = Due::default();
        if !look.seen.trusts_clock() {
            // Without the figure, which would make a new status of each look.
            let message = "the clocks of the operator and the admin API differ by more than a minute: steps that depend on time wait until they agree";
            clocks.notice(Reason::ClockSkew, message.to_owned());
        }
        let written = published.steps.into_iter().map(|(rank, step)| (rank, Step::Target(step)));
        let mut steps: Vec<(Rank, Step)> = due.steps.into_iter().chain(written).collect();
        steps.sort_by_key(|(rank, _)| *rank);
        Self {
            record: Record { targets: published.written, ..record },
            published: public,
            steps: steps.into_iter().map(|(_, step)| step).collect(),
            troubles: [due.troubles, report_invalid(look.desired).troubles, published.troubles, clocks.troubles].concat(),
            due: due.wakes.into_iter().filter(|moment| *moment > look.now).min(),
            next_rotation: due.next_rotation,
            limitations: limitation::limitations(look),
        }
    }
}
