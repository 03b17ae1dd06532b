//! `jwk-operator adopt`: what it prints changes nothing when it is applied.

use std::process::{Command, Output};

use jwk_operator::{
    api::{AccessRule, AdminApiSpec, JsonWebKeySet, Namespaces},
    hydra::emulator::{Emulator, EmulatorOptions},
    jwk::{Jwk, JwkSet},
    lifecycle::{self, Answer, Local, Observed, Step},
};

const SET: &str = "shop.payments";

fn adopt(emulator: &Emulator, set: &str) -> Output {
    let arguments = ["adopt", "--admin-url", emulator.url(), "--set", set];
    Command::new(env!("CARGO_BIN_EXE_jwk-operator")).args(arguments).output().expect("the program runs")
}

/// The resource in the output, read as kubectl would.
fn resource(output: &Output) -> JsonWebKeySet {
    let text = String::from_utf8(output.stdout.clone()).expect("text");
    let mut resource: JsonWebKeySet = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    resource.metadata.uid = Some("uid".into());
    resource.metadata.creation_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::now()));
    resource
}

/// The steps that the plan for a resource has for the remote set, told by their debug text.
fn remote_steps(resource: &JsonWebKeySet, live: Vec<Jwk>) -> Vec<String> {
    let namespaces = Namespaces { all: Some(true), ..Namespaces::default() };
    let rule = AccessRule { namespaces, sets: vec!["{namespace}.*".into()], ..AccessRule::default() };
    let api = AdminApiSpec { access: vec![rule], ..AdminApiSpec::default() };
    let desired = lifecycle::validate(resource, &api, None).expect("a valid resource");
    let now = jiff::Timestamp::now();
    let mut seen = Observed::new(Local::default());
    seen.finalizer = true;
    seen.is_first_look = true;
    let read = |keys| Answer::Read { set: JwkSet { keys }, server_time: Some(now) };
    seen.fold(&Step::ReadLive, read(live), now);
    seen.fold(&Step::ReadStaged, read(Vec::new()), now);
    let steps = lifecycle::assess(&desired, &seen, now).steps;
    steps.iter().filter(|step| step.writes_remote()).map(|step| format!("{step:?}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_prints_adopts_a_set_without_a_change() {
    let emulator = Emulator::start(EmulatorOptions::default()).await.expect("an emulator");
    {
        let mut store = emulator.store();
        let public = |key: Jwk, kid: &str| key.with("kid", kid).with("use", "sig").public_half().expect("a public half").as_jwk().clone();
        let rsa = store.generator().generate("PS256").expect("a key").with("alg", "PS256");
        store.put_key(SET, &public(rsa, "Partner-1")).expect("stored");
        let unwritable = store.generator().generate("ES256").expect("a key");
        store.put_key(SET, &public(unwritable, "a/b")).expect("stored");
        let ec = store.generator().generate("ES384").expect("a key");
        store.put_key(SET, &public(ec, "partner-2")).expect("stored");
        let retired = store.generator().generate("ES256").expect("a key");
        store.put_key(SET, &public(retired, "shop.payments.signing.20250101T000000Z")).expect("stored");
        store.create(SET, Some("theirs"), "RS256", "sig").expect("a key");
        store.create(SET, Some("shop.payments.other.20260101T000000Z"), "EdDSA", "sig").expect("a key");
        store.create(SET, Some("shop.payments.signing.20260101T000000Z"), "ES256", "sig").expect("a key");
    }
    let output = adopt(&emulator, SET);
    let text = String::from_utf8(output.stdout.clone()).expect("text");
    assert!(output.status.success(), "{output:?}");
    let live = emulator.store().get_set(SET).expect("a set").keys;
    for secret in live.iter().flat_map(|key| ["d", "p", "q", "dp", "dq", "qi"].iter().filter_map(|name| key.text(name))) {
        assert!(!text.contains(secret) && !String::from_utf8_lossy(&output.stderr).contains(secret), "a private value is printed");
    }
    assert!(
        text.contains("\"y\":") && text.contains("\"n\":") && !text.contains("\n      y:"),
        "YAML 1.1 reads y and n as booleans:\n{text}"
    );
    let comment = text.lines().find(|line| line.contains("kid theirs")).expect("a remark");
    assert!(comment.starts_with("# ") && comment.contains("add a generate entry"), "{comment}");

    assert!(text.contains("# kid a/b stays as it is without an entry"), "{text}");

    let resource = resource(&output);
    let spec = &resource.spec;
    let names: Vec<&str> = spec.keys.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["other", "signing", "partner-2", "partner-1"], "generated ones first, then as the set has them");
    assert_eq!((spec.signer.as_deref(), spec.set.as_deref()), (Some("signing"), None));
    assert_eq!((resource.metadata.namespace.as_deref(), resource.metadata.name.as_deref()), (Some("shop"), Some("payments")));
    assert_eq!(remote_steps(&resource, live), Vec::<String>::new(), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_is_not_there_or_cannot_be_named_is_told() {
    let emulator = Emulator::start(EmulatorOptions::default()).await.expect("an emulator");
    for (set, sentence) in [("shop.none", "there is no set shop.none at http://"), ("a/b", "cannot be adopted")] {
        let output = adopt(&emulator, set);
        assert!(!output.status.success() && output.stdout.is_empty());
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains(sentence), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kid_cannot_write_into_the_resource() {
    let emulator = Emulator::start(EmulatorOptions::default()).await.expect("an emulator");
    emulator.store().create(SET, Some("theirs\nspec: { mode: Observe }\n#"), "ES256", "sig").expect("a key");
    let output = adopt(&emulator, SET);
    let text = String::from_utf8(output.stdout.clone()).expect("text");
    assert!(text.contains(r"theirs\nspec"), "{text}");
    assert!(resource(&output).spec.mode.is_none(), "{text}");
}
