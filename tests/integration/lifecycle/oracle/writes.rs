//! Rules 2 to 6 over one write to a remote set.

use jiff::Timestamp;
use jwk_operator::{
    api::{JsonWebKeySetSpec, KeySource, Mode, UnmanagedKeys},
    jwk::Jwk,
};

use super::{Oracle, RemoteWrite, id, material, prepublish_in};

impl Oracle {
    /// Rules 2 to 6 over one write. The live set was noted before.
    pub fn check_write(&mut self, write: &RemoteWrite<'_>, now: Timestamp) -> Result<(), String> {
        if write.sent_for.mode == Some(Mode::Observe) {
            return Err("an observer wrote to the remote set".into());
        }
        if write.deleting {
            return self.check_foreign(write);
        }
        self.note_serving(write, now);
        self.check_announced(write, now)?;
        self.check_private_left(write)?;
        self.check_retained(write, now)?;
        self.check_foreign(write)?;
        self.check_needed(write)?;
        self.check_one_key_for_a_kid(write)?;
        self.check_none_lost(write)
    }

    /// Rule 2: what begins to sign was known before, unless nothing could sign.
    fn check_announced(&self, write: &RemoteWrite<'_>, now: Timestamp) -> Result<(), String> {
        let was_private = |key: &Jwk| write.before.iter().any(|old| old.is_private() && id(old) == id(key));
        let signs = |key: &Jwk| key.is_private() && key.public_half().is_some() && key.key_use() != Some("enc");
        let spec = write.sent_for;
        // Somebody else's key under an own kid signs nothing that verifiers would take.
        let is_intruder =
            |key: &Jwk| self.is_foreign(key) && (self.generated(key).is_some() || key.kid().is_some_and(|kid| self.recorded.contains(kid)));
        let may_sign = |key: &&Jwk| key.is_private() && !spec.revoke.iter().any(|kid| key.kid() == Some(kid)) && !is_intruder(key);
        if !write.before.iter().any(|key| may_sign(&key)) {
            return Ok(());
        }
        let was_revoked = |key: &Jwk| write.revoked_since.is_some_and(|kid| key.kid() == Some(kid));
        for key in write.after.iter().filter(|key| signs(key) && !was_private(key) && !was_revoked(key)) {
            let entry = self.entry_of(key, spec, write.secrets);
            let Some(prepublish) = entry.map(prepublish_in).filter(|prepublish| !prepublish.is_zero()) else { continue };
            let at_least = prepublish - self.slack;
            let since = self.announced_since(write, key);
            if since.is_none_or(|since| now.duration_since(since) < at_least) {
                return Err(format!("rule 2: {key:?} signs, in the set only since {since:?}, prepublish {prepublish:?}"));
            }
            for (target, view) in &self.views {
                let since = view.since.get(&id(key));
                let is_first = since.is_some_and(|since| *since <= view.first);
                if !is_first && since.is_none_or(|since| now.duration_since(*since) < at_least) {
                    return Err(format!("rule 2: {key:?} signs, in {target} only since {since:?}, prepublish {prepublish:?}"));
                }
            }
        }
        Ok(())
    }

    /// Since when the set held the key, in either half.
    fn announced_since(&self, write: &RemoteWrite<'_>, key: &Jwk) -> Option<Timestamp> {
        write.before.iter().find(|old| id(old) == id(key)).and_then(|old| self.live_since.get(&id(old)).copied())
    }

    /// The entry that a key serves.
    fn entry_of<'spec>(&self, key: &Jwk, spec: &'spec JsonWebKeySetSpec, secrets: &[Jwk]) -> Option<&'spec KeySource> {
        match self.generated(key) {
            Some((name, _)) => spec.keys.iter().find(|entry| entry.name == name),
            None => {
                let is_held = secrets.iter().any(|secret| material(secret) == material(key));
                let prefix = |entry: &&KeySource| key.kid().is_some_and(|kid| kid.starts_with(&format!("{}.{}.", self.set, entry.name)));
                let explicit = |entry: &&KeySource| entry.import.as_ref().is_some_and(|import| import.kid.as_deref() == key.kid());
                spec.keys.iter().filter(|_| is_held).find(|entry| explicit(entry) || prefix(entry))
            }
        }
    }

    /// Rule 3.
    fn check_private_left(&self, write: &RemoteWrite<'_>) -> Result<(), String> {
        if !write.before.iter().any(Jwk::is_private) || write.after.iter().any(Jwk::is_private) {
            return Ok(());
        }
        let is_revoked = |key: &Jwk| write.sent_for.revoke.iter().any(|kid| key.kid() == Some(kid));
        let generates = write.sent_for.keys.iter().any(|entry| entry.generate.is_some());
        if (generates && !write.is_refusing) || !write.before.iter().filter(|key| key.is_private()).all(is_revoked) {
            return Err("rule 3: no private key is left".into());
        }
        Ok(())
    }

    /// Rule 4 for the set.
    fn check_retained(&self, write: &RemoteWrite<'_>, now: Timestamp) -> Result<(), String> {
        for key in write.before.iter().filter(|key| !self.is_foreign(key)) {
            let is_there = write.after.iter().any(|other| id(other) == id(key));
            if is_there || write.sent_for.revoke.iter().any(|kid| key.kid() == Some(kid)) {
                continue;
            }
            let retain = self.retain_of(key, write.sent_for, write.status);
            if self.signed.get(&id(key)).is_some_and(|signed| now.duration_since(*signed) < retain - self.slack) {
                return Err(format!("rule 4: {key:?} left the set too early, retain {retain:?}"));
            }
        }
        Ok(())
    }

    /// Rule 6: what is not ours stays.
    fn check_foreign(&self, write: &RemoteWrite<'_>) -> Result<(), String> {
        for key in write.before.iter().filter(|key| self.is_foreign(key)) {
            let is_revoked = write.sent_for.revoke.iter().any(|kid| key.kid() == Some(kid));
            let own_kid = self.generated(key).is_some() || key.kid().is_some_and(|kid| self.recorded.contains(kid));
            let is_changed = !write.after.iter().any(|other| id(other) == id(key) && other.is_private() == key.is_private());
            if is_changed && !own_kid && !is_revoked && write.sent_for.unmanaged_keys != Some(UnmanagedKeys::Delete) {
                return Err(format!("rule 6: {key:?} of somebody else was changed"));
            }
        }
        Ok(())
    }

    /// Rule 6: no PUT without need.
    fn check_needed(&self, write: &RemoteWrite<'_>) -> Result<(), String> {
        let Some(key) = write.stored else { return Ok(()) };
        let is_same = write.before.iter().any(|other| other == key);
        let is_in_front = write.before.iter().find(|key| key.is_private()).is_some_and(|front| front.kid() == key.kid());
        if is_same && !write.late && (!key.is_private() || is_in_front) {
            return Err(format!("rule 6: {key:?} was stored without need"));
        }
        Ok(())
    }

    /// Rule 5: a kid is never used for a second key.
    fn check_one_key_for_a_kid(&self, write: &RemoteWrite<'_>) -> Result<(), String> {
        let Some(new) = write.after.first().filter(|new| !write.before.contains(new)) else { return Ok(()) };
        let known = self.published.get(new.kid().unwrap_or_default());
        if known.is_some_and(|known| !known.contains(&material(new))) && !self.is_foreign(new) {
            return Err(format!("rule 5: a second key under the kid of {new:?}"));
        }
        Ok(())
    }

    /// Rule 5: a generated key that was announced is not lost by the operator's own doing, unless a newer one took its place.
    fn check_none_lost(&self, write: &RemoteWrite<'_>) -> Result<(), String> {
        let before = write.before.iter().chain(write.staged_before).filter(|key| key.is_private());
        let after = || write.after.iter().chain(write.staged_after).filter(|key| key.is_private());
        for key in before.filter(|key| !after().any(|other| id(other) == id(key))) {
            let Some((name, slot)) = self.generated(key) else { continue };
            let entry = write.sent_for.keys.iter().find(|entry| entry.name == name).and_then(|entry| entry.generate);
            let is_announced = write.after.iter().any(|public| id(public) == id(key));
            let is_revoked = write.sent_for.revoke.iter().any(|kid| key.kid() == Some(kid));
            let fits = entry.is_some_and(|generate| {
                Some(generate.alg.as_str()) == key.alg() && generate.key_use.unwrap_or_default().as_str() == key.key_use().unwrap_or("sig")
            });
            let is_superseded = after().filter_map(|other| self.generated(other)).any(|other| other.0 == name && other.1 > slot);
            if is_announced && fits && !is_revoked && !is_superseded && !self.is_foreign(key) {
                return Err(format!("rule 5: the private half of {key:?} was lost"));
            }
        }
        Ok(())
    }
}
