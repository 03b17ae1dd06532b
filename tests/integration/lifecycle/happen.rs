//! How an event happens to the world.

use jiff::SignedDuration;
use jwk_operator::{
    api::{KeySource, KeyState, KeyStatus, Mode, PublishTarget, ROTATE_AT_ANNOTATION, UnmanagedKeys},
    jwk::Jwk,
    lifecycle::Document,
};
use kube::ResourceExt as _;

use super::{
    entries::{SECRETS, can_sign, entry, private_target, private_target_id, retime, set_entries, spoil, target, target_id},
    events::Event,
    world::{SET, STAGED, World},
};

impl World {
    pub fn happen(&mut self, event: &Event) {
        match event {
            Event::Pass(faults) => {
                self.pass(faults);
            }
            Event::PassAlone => self.pass_without_admin_api(),
            Event::Advance(seconds) => self.advance(*seconds),
            Event::DeleteKey(index) => {
                if let Some(kid) = self.any_kid(*index) {
                    self.outsider(&format!("deletes {kid}"), |store| store.delete_key(SET, &kid));
                }
            }
            Event::DeleteSet => self.outsider("deletes the set", |store| store.delete_set(SET)),
            Event::DeleteStagedSet => self.outsider("deletes what is staged", |store| store.delete_set(STAGED)),
            Event::DeleteStagedKey(index) => {
                if let Some(kid) = self.any_staged_kid(*index) {
                    self.outsider(&format!("deletes the staged {kid}"), |store| store.delete_key(STAGED, &kid));
                }
            }
            Event::ReplaceStaged(index) => {
                if let Some(kid) = self.any_staged_kid(*index) {
                    self.outsider(&format!("replaces the staged {kid}"), |store| {
                        let key = store.generator().generate("ES256").expect("a key").with("kid", kid.as_str()).with("use", "sig");
                        store.put_key(STAGED, &key).expect("stored");
                    });
                    let staged = self.staged();
                    self.oracle.note_outsider(&[], &staged[..1]);
                }
            }
            Event::PostForeign => self.outsider("posts a key", |store| {
                store.create(SET, None, "ES256", "").expect("a key");
            }),
            Event::PutForeignPublic => self.outsider("puts a public key", |store| {
                let key = store.generator().generate("ES256").expect("a key").with("kid", "theirs");
                let public = key.public_half().expect("a public half").as_jwk().clone();
                if store.get_key(SET, "theirs").is_err() {
                    store.put_key(SET, &public).expect("stored");
                }
            }),
            Event::PutUnderImportedKid => self.outsider("puts a key under an imported kid", |store| {
                let key = store.generator().generate("ES256").expect("a key").with("kid", "legacy-1").with("use", "sig");
                if store.get_key(SET, "legacy-1").is_err() {
                    store.put_key(SET, &key).expect("stored");
                }
            }),
            Event::ReplaceWithPrivate(index) => self.replace(*index, |key| key),
            Event::ReplaceWithPublic(index) => self.replace(*index, |key| key.public_half().map_or(key, |public| public.as_jwk().clone())),
            Event::MakePublic(index) => {
                let key = self.any_kid(*index).and_then(|kid| self.store.get_key(SET, &kid).ok());
                if let Some(public) = key.and_then(|key| key.public_half()) {
                    self.outsider(&format!("takes the private half of {public:?}"), |store| {
                        store.put_key(SET, public.as_jwk()).expect("stored");
                    });
                }
            }
            Event::MoveToFront(index) => {
                if let Some(key) = self.any_kid(*index).and_then(|kid| self.store.get_key(SET, &kid).ok()) {
                    self.outsider(&format!("moves {key:?} to the front"), |store| {
                        store.put_key(SET, &key).expect("stored");
                    });
                }
            }
            // A target is believed where there is no status (decision 012).
            Event::LoseStatus if self.shows_forged() => {}
            Event::LoseStatus => {
                // Nothing can be known of what only a lost status remembered.
                self.say("STATUS LOST");
                // Without it nobody knows where the set was, and the targets are all that is left.
                self.is_elsewhere = false;
                self.forged.clear();
                self.resource.status = None;
                // Nor which kid a key has that stands somewhere without one.
                self.known.clear();
                let (live, objects) = (self.live(), self.shown());
                self.oracle.forget_unremembered(&live, &objects);
            }
            Event::DeleteTarget => {
                self.say("TARGETS DELETED");
                let written: Vec<_> = self.status().targets.iter().map(|target| target_id(&target.name)).collect();
                for id in self.objects.keys().filter(|id| !written.contains(id)) {
                    self.oracle.forget_target(id);
                }
                self.objects.clear();
                if self.remembers_nothing() {
                    let live = self.live();
                    self.oracle.forget_unremembered(&live, &Default::default());
                }
            }
            Event::AlterTarget => {
                self.say("TARGET ALTERED");
                for held in self.objects.values_mut() {
                    held.content.data.insert("other".into(), Document::Public("x".into()));
                    held.resource_version.push('0');
                }
            }
            Event::TakeTarget(taken) => {
                self.say(format!("TARGET FOREIGN {taken}"));
                self.foreign_objects.clear();
                if *taken && !self.objects.contains_key(&target_id("second")) {
                    self.foreign_objects.push(target_id("second"));
                }
            }
            Event::FailTargets(fail) => {
                self.say(format!("TARGETS FAIL {fail}"));
                self.targets_fail = *fail;
            }
            Event::RefuseOneOf(of) => {
                self.say(format!("THE SERVER REFUSES ONE KEY OF {of:?}"));
                self.refuses_one_of = *of;
            }
            Event::AddEntry(index, timing) => {
                let new = entry(*index, *timing);
                let mut entries = self.resource.spec.keys.clone();
                if entries.iter().all(|entry| entry.name != new.name) && entries.len() < 5 {
                    self.say(format!("ADD {} {:?}", new.name, new.rotation));
                    entries.push(new);
                    self.edit(|spec| set_entries(spec, entries));
                    self.keep_revocable();
                }
            }
            Event::DropEntry(index) => {
                let name = entry(*index, 0).name;
                let entries: Vec<_> = self.resource.spec.keys.iter().filter(|entry| entry.name != name).cloned().collect();
                self.say(format!("DROP {name}"));
                self.edit(|spec| set_entries(spec, entries));
            }
            Event::Retime(index, timing) => {
                let name = entry(*index, 0).name;
                self.say(format!("RETIME {name} {timing}"));
                self.edit(|spec| {
                    if let Some(entry) = spec.keys.iter_mut().find(|entry| entry.name == name) {
                        retime(entry, *timing);
                    }
                });
            }
            Event::Spoil(index, is_invalid) => {
                let name = entry(*index, 0).name;
                self.say(format!("SPOIL {name} {is_invalid}"));
                self.edit(|spec| {
                    if let Some(entry) = spec.keys.iter_mut().find(|entry| entry.name == name) {
                        spoil(entry, *is_invalid);
                    }
                });
                self.keep_revocable();
            }
            Event::Sign(index) => {
                let name = entry(*index, 0).name;
                if self.resource.spec.signer.is_some() && self.resource.spec.keys.iter().any(|entry| entry.name == name && can_sign(entry))
                {
                    self.say(format!("SIGNER {name}"));
                    self.edit(|spec| spec.signer = Some(name));
                }
            }
            Event::Revoke(index) => {
                let kids: Vec<_> = self.live().iter().chain(&self.staged()).filter_map(|key| key.kid().map(str::to_owned)).collect();
                if !kids.is_empty() {
                    let kid = kids[index % kids.len()].clone();
                    self.say(format!("REVOKE {kid}"));
                    self.edit(|spec| {
                        if !spec.revoke.contains(&kid) {
                            spec.revoke.push(kid);
                        }
                    });
                    self.keep_revocable();
                }
            }
            Event::RevokeNone => {
                self.say("REVOKE NONE");
                self.edit(|spec| spec.revoke.clear());
            }
            Event::RotateAt(offset) => {
                let at = self.now + SignedDuration::from_secs(*offset);
                self.say(format!("ROTATE AT {at:.0}"));
                self.resource.annotations_mut().insert(ROTATE_AT_ANNOTATION.into(), format!("{at:.0}"));
            }
            Event::ChangeSecret(index) => {
                let key = self.store.generator().generate("ES256").expect("a key").with("alg", "ES256");
                self.say(format!("SECRET {} {key:?}", SECRETS[*index]));
                self.store_secret(SECRETS[*index], &key);
            }
            Event::RemoveSecret(index) => {
                self.say(format!("SECRET {} REMOVED", SECRETS[*index]));
                self.secrets.remove(SECRETS[*index]);
            }
            Event::LabelSecret(index, labelled) => {
                self.say(format!("SECRET {} LABELLED {labelled}", SECRETS[*index]));
                if let Some(secret) = self.secrets.get_mut(SECRETS[*index]) {
                    secret.1 = *labelled;
                }
            }
            Event::Unmanaged(delete) => {
                self.say(format!("UNMANAGED delete={delete}"));
                self.edit(|spec| spec.unmanaged_keys = Some(if *delete { UnmanagedKeys::Delete } else { UnmanagedKeys::Keep }));
            }
            Event::Targets(count) => {
                self.say(format!("TARGETS {count}"));
                let names = ["payments-jwks", "second"];
                names.iter().skip(*count).for_each(|name| self.oracle.forget_target(&target_id(name)));
                let targets = names.iter().take(*count).map(|name| target(name)).collect();
                [private_target_id(), target_id("pem")].iter().for_each(|id| self.oracle.forget_target(id));
                self.edit(|spec| spec.publish = Some(targets));
            }
            Event::PrivateTarget(asked, granted) => {
                self.say(format!("PRIVATE TARGET asked {asked} granted {granted}"));
                self.private_export = *granted;
                if !(*asked && *granted) {
                    self.oracle.forget_target(&private_target_id());
                }
                self.edit(|spec| {
                    let mut targets = spec.publish.take().unwrap_or_else(|| vec![target("payments-jwks")]);
                    targets.retain(|target| target.secret.is_none());
                    targets.extend(asked.then(private_target));
                    spec.publish = Some(targets);
                });
            }
            Event::Pem(form) => {
                self.say(format!("PEM TARGET {form:?}"));
                self.oracle.forget_target(&target_id("pem"));
                self.edit(|spec| {
                    let mut targets = spec.publish.take().unwrap_or_else(|| vec![target("payments-jwks")]);
                    targets.retain(|target| target.form.is_none());
                    targets.extend(form.map(|form| PublishTarget { form: Some(form), ..target("pem") }));
                    spec.publish = Some(targets);
                });
            }
            Event::Observe(observe) => {
                self.say(format!("OBSERVE {observe}"));
                self.edit(|spec| spec.mode = Some(if *observe { Mode::Observe } else { Mode::Enforce }));
            }
            Event::Claim(claimed) => {
                self.say(format!("CLAIMED BY AN OLDER RESOURCE {claimed}"));
                self.is_claimed = *claimed;
            }
            Event::Elsewhere(elsewhere) => {
                // A server is another one for a set that was seen with keys.
                let was_seen = |key: &KeyStatus| !matches!(key.state, KeyState::Planned | KeyState::Staged | KeyState::Revoked);
                let status = self.status();
                self.is_elsewhere = *elsewhere && status.server.is_some() && status.keys.iter().any(was_seen);
                self.say(format!("ELSEWHERE {}", self.is_elsewhere));
            }
            Event::RemoveFinalizer => {
                self.say("FINALIZER REMOVED");
                self.finalizer = false;
            }
            Event::Forge(index) => self.forge(*index),
            Event::Clock(seconds) => {
                self.say(format!("CLOCK {seconds}"));
                self.clock = SignedDuration::from_secs(*seconds);
            }
        }
    }

    /// The API server refuses a kid that stands both in `keys` and in `revoke`.
    fn keep_revocable(&mut self) {
        let named: Vec<_> = self.resource.spec.keys.iter().filter_map(explicit_kid).collect();
        self.edit(|spec| spec.revoke.retain(|kid| !named.contains(kid)));
    }

    fn any_kid(&self, index: usize) -> Option<String> {
        let live = self.live();
        if live.is_empty() { None } else { live[index % live.len()].kid().map(str::to_owned) }
    }

    fn any_staged_kid(&self, index: usize) -> Option<String> {
        let staged = self.staged();
        if staged.is_empty() { None } else { staged[index % staged.len()].kid().map(str::to_owned) }
    }

    fn shows_forged(&self) -> bool {
        let mut shown = self.objects.values().flat_map(|held| held.content.published().into_values());
        shown.any(|key| self.forged.iter().any(|forged| forged.public_thumbprint() == key.thumbprint().ok()))
    }

    /// Somebody puts a key of theirs into all targets, under a kid that the status has, or one that it plans if there is such.
    fn forge(&mut self, index: usize) {
        let keys = self.status().keys;
        let planned = keys.iter().find(|key| key.state == KeyState::Planned && index.is_multiple_of(2));
        let Some(kid) = planned.or_else(|| keys.get(index % keys.len().max(1))).map(|key| key.kid.clone()) else { return };
        self.say(format!("FORGE {kid}"));
        let key = self.store.generator().generate("ES256").expect("a key").with("kid", kid).with("use", "sig").with("alg", "ES256");
        let forged = key.public_half().expect("a public half").as_jwk().clone();
        self.oracle.note_outsider(&[], std::slice::from_ref(&forged));
        let document = serde_json::json!({ "keys": [forged] }).to_string();
        for held in self.objects.values_mut().filter(|held| !held.content.may_be_private()) {
            held.content.data.insert("jwks.json".into(), Document::read(&document));
            held.resource_version.push('0');
        }
        self.forged.push(forged);
    }

    /// Somebody stores another key under an existing kid.
    fn replace(&mut self, index: usize, shape: impl FnOnce(Jwk) -> Jwk) {
        let Some(kid) = self.any_kid(index) else { return };
        self.outsider(&format!("replaces {kid}"), |store| {
            let key = store.generator().generate("ES256").expect("a key").with("kid", kid.as_str()).with("use", "sig");
            store.put_key(SET, &shape(key)).expect("stored");
        });
    }
}

/// The kid that an entry writes out.
fn explicit_kid(entry: &KeySource) -> Option<String> {
    let public = entry.public.as_ref().map(|public| public.kid.clone());
    public.or_else(|| entry.import.as_ref().and_then(|import| import.kid.clone()))
}
