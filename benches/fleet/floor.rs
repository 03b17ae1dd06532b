//! What the work cannot do without: the bare calls for each set, with as many sets at once as the operator works on by default.

use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use jwk_operator::{
    api::{FINALIZER, JsonWebKeySet},
    hydra::{self, CreateJsonWebKeySet},
    jwk::JwkSet,
};
use k8s_openapi::{
    api::{
        core::v1::{ConfigMap, ObjectReference},
        events::v1::Event,
    },
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client, Resource as _, ResourceExt as _,
    api::{ListParams, ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::json;

use crate::cluster::{control_plane::HOME, operator::Playground};

/// Does for each set of the namespace what a fresh one needs: a look and a key at the admin API; the finalizer, the ConfigMap, the status and an
/// event at Kubernetes. Answers how long that took.
pub async fn measure(playground: &Playground, namespace: &str, at_once: usize) -> Duration {
    let client = playground.control_plane.client_of(HOME, "jwk-operator").await;
    let admin = hydra::Config::new(playground.emulator.url()).and_then(hydra::Config::build).expect("a client");
    let sets: Api<JsonWebKeySet> = Api::namespaced(client.clone(), namespace);
    let sets = sets.list(&ListParams::default()).await.expect("a list").items;
    let started = Instant::now();
    stream::iter(sets).for_each_concurrent(at_once, async |set| work(&set, client.clone(), &admin).await).await;
    started.elapsed()
}

async fn work(set: &JsonWebKeySet, client: Client, admin: &hydra::Client) {
    let (name, namespace) = (set.name_any(), set.namespace().expect("a namespace"));
    let id = format!("{namespace}.{name}");
    let sets = Api::<JsonWebKeySet>::namespaced(client.clone(), &namespace);
    let parameters = PatchParams { field_manager: Some("jwk-operator".to_owned()), ..PatchParams::default() };

    assert!(admin.get_json_web_key_set(&id).await.expect("an answer").value.is_none(), "{id} is there");
    let held = json!({ "metadata": { "uid": set.uid(), "finalizers": [FINALIZER] } });
    sets.patch(&name, &parameters, &Patch::Merge(held)).await.expect("held");
    let kid = format!("{id}.signing.20260101T000000Z");
    let request = CreateJsonWebKeySet { alg: "ES256".to_owned(), kid: kid.clone(), key_use: "sig".to_owned() };
    let key = admin.create_json_web_key_set(&id, &request).await.expect("a key").value;
    let public = key.public_half().expect("a public half");

    let document = serde_json::to_string(&JwkSet { keys: vec![public.as_jwk().clone()] }).expect("JSON");
    let map = ConfigMap {
        metadata: ObjectMeta {
            name: Some(format!("{name}-jwks")),
            owner_references: set.controller_owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        data: Some([("jwks.json".to_owned(), document)].into()),
        ..ConfigMap::default()
    };
    Api::<ConfigMap>::namespaced(client.clone(), &namespace).create(&PostParams::default(), &map).await.expect("published");

    let now = Timestamp::now();
    let ready = |kind: &str| json!({ "type": kind, "status": "True", "reason": "AsPlanned", "message": format!("set {id} is as planned"), "lastTransitionTime": format!("{now:.0}") });
    let status = json!({
        "apiVersion": JsonWebKeySet::api_version(&()), "kind": JsonWebKeySet::kind(&()),
        "status": {
            "set": id, "kids": [kid], "keyCount": 1, "keys": [{ "kid": kid, "state": "Active", "jwk": public }],
            "conditions": [ready("Ready"), ready("Synced"), ready("Published")],
        },
    });
    sets.patch_status(&name, &PatchParams::apply("jwk-operator").force(), &Patch::Apply(status)).await.expect("told");

    let event = Event {
        metadata: ObjectMeta { name: Some(format!("{name}.floor")), ..ObjectMeta::default() },
        event_time: Some(MicroTime(now)),
        action: Some("Reconcile".to_owned()),
        reason: Some("KeyGenerated".to_owned()),
        note: Some(format!("Generated {kid} in set {id}")),
        regarding: Some(ObjectReference { ..set.object_ref(&()) }),
        reporting_controller: Some("jwk-operator".to_owned()),
        reporting_instance: Some("floor".to_owned()),
        type_: Some("Normal".to_owned()),
        ..Event::default()
    };
    Api::<Event>::namespaced(client, &namespace).create(&PostParams::default(), &event).await.expect("an event");
}
