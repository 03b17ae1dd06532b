//! What somebody with the role `edit` in one namespace may try. Each attempt is refused with a reason, and changes nothing that is not theirs.

use std::collections::BTreeMap;

use jwk_operator::{api::JsonWebKeySet, jwk::Jwk};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api, ResourceExt as _,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{
    control_plane::apply_as,
    operator::{Playground, generated},
    wait::eventually,
};

/// What must come of an attempt.
enum End {
    /// The API server refuses it with these words.
    Refused(&'static str),
    /// The operator refuses it with this reason, and these words do not appear.
    Told(&'static str, &'static [&'static str]),
}
use End::{Refused, Told};

fn public(kid: &str) -> Value {
    json!({ "kid": kid, "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" })
}

fn set(id: impl Into<String>) -> Value {
    json!({ "set": id.into(), "keys": [generated("signing", "ES256")] })
}

fn publish(target: Value) -> Value {
    json!({ "keys": [generated("signing", "ES256")], "publish": [target] })
}

fn import(secret: &str) -> Value {
    json!({ "keys": [{ "name": "stolen", "import": { "secretRef": { "name": secret }, "alg": "ES256" } }] })
}

fn attempts() -> Vec<(&'static str, Value, End)> {
    let with = |mut spec: Value, name: &str, member: Value| {
        spec[name] = member;
        spec
    };
    let labels = |count: usize| (0..count).map(|index| (format!("l{index}"), json!("x"))).collect::<serde_json::Map<_, _>>();
    let keys = |count: usize| (0..count).map(|index| json!({ "name": format!("k{index}"), "public": public(&format!("kid-{index}")) }));
    let private = json!({ "secret": { "name": "loot", "content": "Private" } });
    vec![
        ("another namespace's set", set("bank.payments"), Told("AccessDenied", &[])),
        ("its twin in upper case", set("Bank.Payments"), Told("AccessDenied", &[])),
        ("Hydra's own set", set("hydra.openid.id-token"), Told("AccessDenied", &[])),
        ("its twin in upper case", set("HYDRA.OpenID.id-token"), Told("AccessDenied", &[])),
        ("another of Hydra's own sets", set("hydra.jwt.access-token"), Told("AccessDenied", &[])),
        ("observing another namespace's set", with(set("bank.payments"), "mode", "Observe".into()), Told("AccessDenied", &[])),
        ("a set that may only be observed", set("seen.tokens"), Told("AccessDenied", &[])),
        ("a glob", set("shop.*"), Refused("must consist of letters")),
        ("a slash", set("shop/../bank.payments"), Refused("must consist of letters")),
        ("an encoded slash", set("shop%2Fbank"), Refused("must consist of letters")),
        ("dots", set("shop..bank"), Refused("contain no ..")),
        ("unicode", set("ѕhop.payments"), Refused("must consist of letters")),
        ("a line break", set("shop.a\nset bank.payments"), Refused("failed rule")),
        ("5,000 characters", set("s".repeat(5000)), Refused("200")),
        ("another set's staged keys", set("bank.payments~next"), Refused("must consist of letters")),
        ("a name like a staged set's", set("shop.attempt.next"), Told("AsPlanned", &[])),
        ("the certificates of the cluster", publish(json!({ "configMap": { "name": "kube-root-ca.crt" } })), Told("TargetNotOwned", &[])),
        ("another owner's Secret", publish(json!({ "secret": { "name": "theirs" } })), Told("TargetNotOwned", &["hunter2"])),
        (
            "another namespace",
            publish(json!({ "configMap": { "name": "x", "namespace": "bank" } })),
            Refused("field not declared in schema"),
        ),
        (
            "another namespace by a path",
            publish(json!({ "configMap": { "name": "../../bank/configmaps/x" } })),
            Refused("spec.publish[0].configMap.name"),
        ),
        (
            "a service account's token",
            publish(json!({ "secret": { "name": "x", "type": "kubernetes.io/service-account-token" } })),
            Refused("is reserved by the cluster"),
        ),
        (
            "a Helm release",
            publish(json!({ "secret": { "name": "x", "type": "helm.sh/release.v1" } })),
            Refused("is reserved by the cluster"),
        ),
        (
            "a cluster of Argo CD",
            publish(json!({ "secret": { "name": "x" }, "labels": { "argocd.argoproj.io/secret-type": "cluster" } })),
            Refused("must not use the prefixes"),
        ),
        (
            "a label of the operator",
            publish(json!({ "configMap": { "name": "x" }, "labels": { "jwk-operator.dev/import": "true" } })),
            Refused("must not use the prefixes"),
        ),
        ("many labels", publish(json!({ "configMap": { "name": "x" }, "labels": labels(17) })), Refused("must have at most 16 items")),
        ("a huge label", publish(json!({ "configMap": { "name": "x" }, "labels": { "a": "x".repeat(100_000) } })), Refused("63")),
        ("private keys without a grant", publish(private.clone()), Told("PrivateExportDenied", &[])),
        (
            "private keys in a ConfigMap",
            publish(json!({ "configMap": { "name": "loot", "content": "Private" } })),
            Refused("field not declared in schema"),
        ),
        (
            "private keys of a set to observe",
            json!({ "set": "seen.tokens", "mode": "Observe", "publish": [private] }),
            Told("PrivateExportDenied", &[]),
        ),
        ("an owner's set", set("shared.tokens"), Told("SetConflict", &["ledger", "bank"])),
        ("its twin in upper case", set("SHARED.Tokens"), Told("SetConflict", &["ledger", "bank"])),
        (
            "an owner's set through another AdminApi",
            with(set("shared.tokens"), "adminApiRef", json!({ "name": "second" })),
            Told("SetConflict", &["ledger", "bank"]),
        ),
        ("an AdminApi of others", with(set("shop.attempt"), "adminApiRef", json!({ "name": "banks" })), Told("AccessDenied", &[])),
        (
            "an AdminApi that there is not",
            with(set("shop.attempt"), "adminApiRef", json!({ "name": "none" })),
            Told("AdminApiNotFound", &[]),
        ),
        ("a URL", with(set("shop.attempt"), "url", "http://169.254.169.254".into()), Refused("field not declared in schema")),
        (
            "a Secret of another namespace",
            with(import("key"), "keys", json!([{ "name": "stolen", "import": { "secretRef": { "name": "key", "namespace": "bank" } } }])),
            Refused("field not declared in schema"),
        ),
        ("a Secret of another namespace by a path", import("../../bank/secrets/key"), Refused("spec.keys[0].import.secretRef.name")),
        ("a Secret of another namespace by its name", import("key"), Told("SourceMissing", &[])),
        ("a Secret that nobody offered", import("theirs"), Told("SourceNotLabelled", &["hunter2"])),
        ("33 keys", json!({ "keys": keys(33).collect::<Vec<_>>() }), Refused("32")),
        (
            "a spec of 1 MB",
            json!({ "keys": [{ "name": "a", "public": with(public("a"), "x", "x".repeat(1 << 20).into()) }] }),
            Refused("128"),
        ),
        (
            "a private key in a spec",
            json!({ "keys": [{ "name": "a", "public": with(public("a"), "d", "hunter2hunter2".into()) }] }),
            Refused("this is a private key"),
        ),
        (
            "a kid like a generated one",
            json!({ "keys": [{ "name": "a", "public": public("shop.attempt.signing.20260101T000000Z") }] }),
            Told("KidReserved", &[]),
        ),
        (
            "a kid with a line break",
            json!({ "keys": [{ "name": "a", "public": public("a\nlevel=error msg=forged") }] }),
            Refused("public.kid"),
        ),
        (
            "a rotation every second",
            json!({ "keys": [{ "name": "a", "generate": { "alg": "ES256" }, "rotation": { "interval": "1s" } }] }),
            Refused("interval must be at least 10s"),
        ),
        (
            "a rotation every ten seconds",
            json!({ "keys": [{ "name": "a", "generate": { "alg": "ES256" }, "rotation": { "interval": "10s", "prepublish": "5s" } }] }),
            Told("InvalidRotation", &[]),
        ),
    ]
}

/// Everything that is not the attacker's to change.
async fn world(playground: &Playground) -> (BTreeMap<String, Vec<Jwk>>, BTreeMap<String, Value>) {
    let sets = playground.emulator.store().sets().clone();
    let remote = sets.into_iter().filter(|(id, _)| !id.starts_with("shop.attempt")).collect();
    let mut objects = BTreeMap::new();
    let administrator = &playground.control_plane.administrator;
    let is_own = |name: &str, owners: &[String]| name.starts_with("attempt") || owners.iter().any(|owner| owner.starts_with("attempt"));
    for map in Api::<ConfigMap>::all(administrator.clone()).list(&ListParams::default()).await.expect("a list").items {
        let owners: Vec<_> = map.owner_references().iter().map(|owner| owner.name.clone()).collect();
        if !is_own(&map.name_any(), &owners) {
            objects.insert(
                format!("ConfigMap {}/{}", map.namespace().unwrap_or_default(), map.name_any()),
                json!([map.resource_version(), map.data]),
            );
        }
    }
    for secret in Api::<Secret>::all(administrator.clone()).list(&ListParams::default()).await.expect("a list").items {
        let owners: Vec<_> = secret.owner_references().iter().map(|owner| owner.name.clone()).collect();
        if !is_own(&secret.name_any(), &owners) {
            objects.insert(
                format!("Secret {}/{}", secret.namespace().unwrap_or_default(), secret.name_any()),
                json!([secret.resource_version(), secret.data]),
            );
        }
    }
    (remote, objects)
}

async fn besieged() -> Playground {
    let mut playground = Playground::without_operator().await;
    playground.control_plane.namespace("bank").await;
    {
        let mut store = playground.emulator.store();
        store.create("hydra.openid.id-token", Some("hydras-own"), "RS256", "sig").expect("a key");
        store.create("seen.tokens", Some("seen"), "ES256", "sig").expect("a key");
    }
    let access = json!([
        { "namespaces": { "names": ["shop"] }, "sets": ["{namespace}.*", "shared.tokens"] },
        { "namespaces": { "names": ["shop"] }, "sets": ["seen.tokens"], "mode": "Observe" },
        { "namespaces": { "names": ["bank"] }, "sets": ["{namespace}.*", "shared.tokens", "hydra.openid.id-token"], "privateExport": true },
    ]);
    playground.admin_api(json!({ "resyncInterval": "30s", "timeout": "1s", "access": access })).await;
    for (name, rule) in [
        ("second", json!({ "namespaces": { "names": ["shop"] }, "sets": ["shared.*"] })),
        ("banks", json!({ "namespaces": { "names": ["bank"] }, "sets": ["shop.*"] })),
    ] {
        let spec = json!({ "url": playground.emulator.url(), "timeout": "1s", "access": [rule] });
        let object = json!({ "apiVersion": "jwk-operator.dev/v1alpha1", "kind": "AdminApi", "metadata": { "name": name }, "spec": spec });
        playground.control_plane.apply(object).await.expect("an AdminApi");
    }
    playground.start_operator().await;
    for (name, id) in [("payments", "bank.payments"), ("ledger", "shared.tokens")] {
        playground.apply("bank", name, set(id)).await;
        playground.until_ready("bank", name).await;
    }
    let secret = |name: &str, label: Option<&str>| {
        let labels = label.map(|label| json!({ label: "true" })).unwrap_or_else(|| json!({}));
        serde_json::from_value(json!({ "metadata": { "name": name, "labels": labels }, "stringData": { "key": "hunter2" } }))
            .expect("a Secret")
    };
    playground.control_plane.api::<Secret>("shop").create(&PostParams::default(), &secret("theirs", None)).await.expect("created");
    let offered = secret("key", Some("jwk-operator.dev/import"));
    playground.control_plane.api::<Secret>("bank").create(&PostParams::default(), &offered).await.expect("created");
    playground
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_reaches_no_more_than_it_was_given() {
    let playground = besieged().await;
    let before = world(&playground).await;
    let attempts = attempts();
    assert!(attempts.len() >= 40, "{}", attempts.len());
    for (what, spec, end) in attempts {
        let outcome = playground.try_apply("shop", "attempt", spec).await;
        match (end, outcome) {
            (Refused(words), Err(kube::Error::Api(status))) => {
                assert!(status.message.contains(words), "{what}: {}", status.message);
                assert!(!status.message.contains("hunter2"), "{what}: a secret is repeated");
            }
            (Refused(_), Ok(())) => panic!("{what}: accepted"),
            (Told(reason, hidden), Ok(())) => {
                let status = playground.until_reason("shop", "attempt", reason).await;
                let told = serde_json::to_string(&status).expect("JSON");
                assert!(hidden.iter().all(|word| !told.contains(word)), "{what}: {told}");
                playground.sets("shop").delete("attempt", &Default::default()).await.expect("deleted");
                playground.until_gone("shop", "attempt").await;
            }
            (_, Err(error)) => panic!("{what}: {error}"),
        }
        assert_eq!(world(&playground).await, before, "{what}");
    }
    for line in playground.logged().lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "a line of the log is not the operator's: {line}");
        assert!(!line.contains("hunter2"), "a secret is in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_cannot_go_around_the_operator() {
    let playground = besieged().await;
    let control_plane = &playground.control_plane;
    playground.apply("shop", "payments", set("shop.payments")).await;
    playground.until_ready("shop", "payments").await;
    let before = world(&playground).await;
    let developer = control_plane.developer("shop");
    let forbidden = |outcome: Result<(), kube::Error>, what: &str| match outcome {
        Err(kube::Error::Api(status)) if status.code == 403 => {}
        other => panic!("{what}: {other:?}"),
    };
    let api = json!({ "apiVersion": "jwk-operator.dev/v1alpha1", "kind": "AdminApi", "metadata": { "name": "mine" },
        "spec": { "url": "http://169.254.169.254", "access": [{ "namespaces": { "all": true }, "sets": ["bank.*"] }] } });
    forbidden(apply_as(&developer, api).await.map(|_| ()), "an AdminApi of one's own");
    let admin_apis = Api::<jwk_operator::api::AdminApi>::all(developer.clone());
    forbidden(admin_apis.get("default").await.map(|_| ()), "to read an AdminApi");
    let resource = json!({ "apiVersion": "jwk-operator.dev/v1alpha1", "kind": "JsonWebKeySet", "metadata": { "name": "x", "namespace": "bank" }, "spec": {} });
    forbidden(apply_as(&developer, resource).await.map(|_| ()), "a resource in another namespace");
    let merge = |value: Value| Patch::Merge(value);
    let status = merge(json!({ "status": { "signer": "forged" } }));
    let sets = Api::<JsonWebKeySet>::namespaced(developer.clone(), "shop");
    forbidden(sets.patch_status("payments", &PatchParams::default(), &status).await.map(|_| ()), "the status");
    let label = merge(json!({ "metadata": { "labels": { "team": "bank" } } }));
    let namespaces = Api::<k8s_openapi::api::core::v1::Namespace>::all(developer.clone());
    forbidden(namespaces.patch("shop", &PatchParams::default(), &label).await.map(|_| ()), "a label of the namespace");
    let secrets = Api::<Secret>::namespaced(developer.clone(), "jwk-operator");
    forbidden(secrets.list(&ListParams::default()).await.map(|_| ()), "the credentials of the admin API");

    // Another AdminApi cannot be flipped to.
    let mut flipped = set("shop.payments");
    flipped["adminApiRef"] = json!({ "name": "second" });
    let refused = playground.try_apply("shop", "payments", flipped).await.expect_err("refused").to_string();
    assert!(refused.contains("adminApiRef cannot change"), "{refused}");

    // Nor does deleting and making again, as fast as it goes, leave keys behind or touch another set.
    for _ in 0..8 {
        playground.apply("shop", "attempt", set("shop.attempt")).await;
        playground.sets("shop").delete("attempt", &Default::default()).await.expect("deleted");
        playground.until_gone("shop", "attempt").await;
    }
    eventually("nothing is left", async || playground.remote("shop.attempt").is_empty().then_some(())).await;

    // An object that names another owner is not the operator's to change for it.
    let owner = playground.sets("shop").get("payments").await.expect("a resource");
    let spoofed = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": "attempt-spoofed", "namespace": "shop", "labels": { "app.kubernetes.io/managed-by": "jwk-operator" },
            "ownerReferences": [{ "apiVersion": "jwk-operator.dev/v1alpha1", "kind": "JsonWebKeySet", "name": "ledger", "uid": "00000000-0000-0000-0000-000000000000", "controller": true }]
        },
        "data": { "jwks.json": "{\"keys\":[]}" }
    });
    apply_as(&developer, spoofed).await.expect("a ConfigMap of one's own");
    playground.looks("shop.payments", 1).await;
    assert_eq!(owner.uid(), playground.sets("shop").get("payments").await.expect("a resource").uid());
    assert_eq!(world(&playground).await, before);
}
