//! When a generated key is replaced, and under which slot.

use jiff::{SignedDuration, Timestamp};

use super::supply::{Serving, Supplier};
use crate::api::{KeyState, Reason};
use crate::lifecycle::{entry_name::EntryName, kid::Slot, observed::CLOCK_TOLERANCE, spec::entry::Entry};

impl Supplier<'_> {
    /// When the successor of `serving` is due to sign, if one is due at all: as the interval says, or as somebody asks.
    pub(super) fn due_for(&self, entry: &Entry, serving: &Serving) -> Option<Timestamp> {
        let by_interval = entry.timing.interval.and_then(|interval| self.due_by_interval(interval, serving));
        by_interval.into_iter().chain(self.asked(serving)).min()
    }

    /// The signer's slot + n × interval, the latest that is not in the future, else the next one: after a pause of many intervals one key is
    /// made, and not many.
    fn due_by_interval(&self, interval: SignedDuration, serving: &Serving) -> Option<Timestamp> {
        let now = self.look.timed()?;
        let slot = serving.slot.time();
        // A slot in the future, made under a wrong clock, counts from when the key was seen to sign.
        let activated = self.record.keys.get(&serving.kid).and_then(|record| record.activated_at);
        let base = if slot > now { slot.min(activated.unwrap_or(now)) } else { slot };
        let passed = now.duration_since(base).as_secs() / interval.as_secs().max(1);
        let seconds = interval.as_secs().max(1).saturating_mul(passed.max(1));
        base.saturating_add(SignedDuration::from_secs(seconds)).ok()
    }

    /// When the annotation asks for a successor of `serving`, no earlier than the AdminApi allows; `None` if it was answered.
    pub(super) fn asked(&self, serving: &Serving) -> Option<Timestamp> {
        let asked = self.look.desired.rotate_at.as_ref()?.at?;
        (asked > self.serves_since(serving)).then(|| asked.max(self.earliest(serving)))
    }

    /// Since when a key serves: its slot, or from when it really signs if that is later. It answers what was asked for until then.
    fn serves_since(&self, serving: &Serving) -> Timestamp {
        let activated = self.record.keys.get(&serving.kid).and_then(|record| record.activated_at);
        activated.map_or(serving.slot.time(), |activated| activated.max(serving.slot.time()).min(self.look.now))
    }

    fn earliest(&self, serving: &Serving) -> Timestamp {
        let shortest = SignedDuration::try_from(self.look.desired.min_rotation_interval).unwrap_or(SignedDuration::MAX);
        self.serves_since(serving).saturating_add(shortest).unwrap_or(Timestamp::MAX)
    }

    /// When the successor at `slot` starts: at its slot. Behind a key whose slot lies in the future, made under a wrong clock, slots say nothing.
    pub(super) fn starts(&self, entry: &Entry, slot: Slot, serving: &Serving) -> Timestamp {
        let due = self.due_for(entry, serving).filter(|_| serving.slot.time() > self.look.now);
        due.map_or(slot.time(), |due| due.min(slot.time()))
    }

    /// Reports an annotation that is not carried out as it is written, and remembers one that is.
    pub(super) fn note_annotation(&mut self, serving: &[(Serving, bool)]) {
        let Some(rotate_at) = self.look.desired.rotate_at.clone() else { return };
        let Some(asked) = rotate_at.at else {
            let message = format!(
                "the annotation jwk-operator.dev/rotate-at must be a time like 2026-11-23T12:00:00Z: set {} is kept as it is",
                self.look.desired.set
            );
            self.due.notice(Reason::RotationNotDue, message);
            return;
        };
        let open: Vec<_> = serving.iter().filter(|(serving, _)| asked > self.serves_since(serving)).collect();
        if open.is_empty() {
            // Without a generated key there is nothing to answer.
            if !serving.is_empty() && self.record.handled_rotate_at.as_ref() != Some(&rotate_at.text) {
                self.record.handled_rotate_at = Some(rotate_at.text);
            }
        } else if let Some((delayed, _)) =
            open.iter().find(|(serving, has_successor)| !has_successor && self.earliest(serving) > asked.max(self.look.now))
        {
            let message = format!(
                "a rotation is requested for {asked:.0}, but kid {} has not been signing long enough: the AdminApi allows the next rotation at {:.0} (spec.limits.minRotationInterval)",
                delayed.kid,
                self.earliest(delayed)
            );
            self.due.notice(Reason::RotationNotDue, message);
        }
    }

    /// The newest slot that entry `name` ever used, as far as the record, the sets and the targets know.
    pub(super) fn newest_slot(&self, name: &EntryName) -> Option<Slot> {
        let published =
            self.recovered.halves.keys().filter_map(|kid| crate::lifecycle::kid::parse_generated(&self.look.desired.set, kid.as_str()));
        let published = published.filter(|(owner, _)| *owner == name.as_str()).map(|(_, slot)| slot).max();
        self.record.slots.get(name).copied().into_iter().chain(published).max()
    }

    /// The slots that were written down for entry `name` and whose keys are not there, and whether they are surely unused: written down in
    /// this pass, or every request since was answered.
    pub(super) fn planned_slots(&self, name: &EntryName) -> impl Iterator<Item = (Slot, bool)> {
        let planned = self.record.keys.iter().filter(|(_, record)| record.state == KeyState::Planned);
        planned.filter_map(move |(kid, record)| {
            let (owner, slot) = crate::lifecycle::kid::parse_generated(&self.look.desired.set, kid.as_str())?;
            let is_unused = self.look.seen.reserved.contains(kid) || record.planned_at.is_some_and(|at| self.is_surely_since_answered(at));
            (owner == name.as_str()).then_some((slot, is_unused))
        })
    }

    /// Whether `moment`, read from a clock of this operator, is surely later than the last request that was not answered. A clock may have been
    /// set back since, by as much as it may be wrong unnoticed.
    fn is_surely_since_answered(&self, moment: Timestamp) -> bool {
        let surely = self.look.seen.answered_since.saturating_add(CLOCK_TOLERANCE * 2).unwrap_or(Timestamp::MAX);
        surely < moment && moment <= self.look.now
    }

    /// A slot that was written down and may be asked for.
    pub(super) fn planned_slot(&self, name: &EntryName) -> Option<Slot> {
        let newest = self.newest_slot(name);
        // While nothing may be written, the plan stays as it is: the key may yet appear.
        let is_blocked = self.look.seen.late_answers_until(self.look.now).is_some();
        let unused = self.planned_slots(name).filter(|(_, is_unused)| *is_unused || is_blocked);
        unused.map(|(slot, _)| slot).max().filter(|slot| newest.is_none_or(|newest| *slot > newest))
    }

    /// The slot of a new key that is meant to start at `start`: always after the newest known, and after those written down, whose keys may
    /// have been made and lost.
    pub(super) fn slot_from(&self, name: &EntryName, start: Timestamp) -> Slot {
        let newest = self.newest_slot(name);
        let newest = self.planned_slots(name).map(|(slot, _)| slot).max().max(newest);
        newest.map_or(Slot::at(start), |newest| Slot::at(start).max(newest.next()))
    }
}
