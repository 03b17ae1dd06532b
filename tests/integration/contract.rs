//! What the operator relies on when it talks to the admin API, checked through the client it uses.
//!
//! With `JWK_OPERATOR_TEST_ADMIN_URL` the tests go to a real Hydra, in sets whose ids no other run uses and which are deleted at the end.
//! Without it every test has an emulator of its own.

use std::{env, panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use jwk_operator::{
    hydra::{
        Client, Config, CreateJsonWebKeySet, ErrorKind,
        emulator::{Emulator, EmulatorOptions},
    },
    jwk::{Jwk, JwkSet},
};
use serde_json::{Value, json};

/// Who answers, and the set that a test has for itself.
struct Subject {
    client: Client,
    set: String,
    /// Absent if a real Hydra answers.
    emulator: Option<Emulator>,
}

impl Subject {
    async fn create(&self, kid: &str) -> Jwk {
        self.client.create_json_web_key_set(&self.set, &es256(kid)).await.expect("a key").value
    }

    async fn put(&self, key: &Jwk) -> Jwk {
        self.client.set_json_web_key(&self.set, key.kid().expect("a kid"), key).await.expect("the stored key").value
    }

    async fn keys(&self) -> Option<Vec<Jwk>> {
        self.client.get_json_web_key_set(&self.set).await.expect("an answer").value.map(|set| set.keys)
    }

    /// The kids in the order of the answer; none if the set is absent.
    async fn kids(&self) -> Vec<String> {
        kids(&self.keys().await.unwrap_or_default())
    }

    /// The kid that Hydra would sign with: measured, it takes the first private key.
    async fn signer(&self) -> Option<String> {
        self.keys().await.unwrap_or_default().iter().find(|key| key.is_private()).and_then(Jwk::kid).map(str::to_owned)
    }
}

/// Runs a test with a set of its own and deletes the set, also after a failure: a real Hydra is not ours to litter.
async fn with_set(name: &str, test: impl AsyncFnOnce(&Subject)) {
    let real = env::var("JWK_OPERATOR_TEST_ADMIN_URL").ok();
    let emulator = match real {
        Some(_) => None,
        None => Some(Emulator::start(EmulatorOptions::default()).await.expect("the emulator starts")),
    };
    let url = real.as_deref().or(emulator.as_ref().map(Emulator::url)).expect("a URL");
    let client = Config::new(url).expect("a URL").build().expect("a client");
    let set = format!("contract-{:x}-{name}", Timestamp::now().as_nanosecond());
    let subject = Subject { client, set, emulator };
    let outcome = AssertUnwindSafe(test(&subject)).catch_unwind().await;
    let deleted = subject.client.delete_json_web_key_set(&subject.set).await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
    deleted.expect("the set can be deleted");
    assert_eq!(subject.keys().await, None);
}

/// ES256, because it is the fastest to generate.
fn es256(kid: &str) -> CreateJsonWebKeySet {
    CreateJsonWebKeySet { alg: "ES256".to_owned(), kid: kid.to_owned(), key_use: "sig".to_owned() }
}

fn kids(keys: &[Jwk]) -> Vec<String> {
    keys.iter().map(|key| key.kid().unwrap_or_default().to_owned()).collect()
}

fn key(value: Value) -> Jwk {
    serde_json::from_value(value).expect("a key")
}

fn public_half(private: &Jwk) -> Jwk {
    key(serde_json::to_value(private.public_half().expect("a public half")).expect("JSON"))
}

#[tokio::test]
async fn a_created_key_has_the_kid_it_was_given_and_is_answered_with_its_private_half() {
    with_set("create", async |subject| {
        let created = subject.create("first").await;
        assert_eq!(
            (created.kid(), created.alg(), created.key_use(), created.kty()),
            (Some("first"), Some("ES256"), Some("sig"), Some("EC"))
        );
        assert!(created.is_private() && created.text("d").is_some());
        assert_eq!(subject.keys().await, Some(vec![created.clone()]));
        let read = subject.client.get_json_web_key(&subject.set, "first").await.expect("an answer").value;
        assert_eq!(read, Some(created));
    })
    .await;
}

#[tokio::test]
async fn the_answer_to_a_creation_is_the_new_key_alone() {
    with_set("create-second", async |subject| {
        let first = subject.create("first").await;
        let second = subject.create("second").await;
        assert_ne!(first.thumbprint(), second.thumbprint());
        assert_eq!(subject.keys().await, Some(vec![second, first]));
    })
    .await;
}

#[tokio::test]
async fn creating_a_kid_again_is_a_conflict_and_changes_nothing() {
    with_set("create-again", async |subject| {
        subject.create("first").await;
        subject.create("second").await;
        let before = subject.keys().await;
        let error = subject.client.create_json_web_key_set(&subject.set, &es256("first")).await.expect_err("a conflict");
        assert_eq!((error.kind(), error.status()), (&ErrorKind::Conflict, Some(409)));
        assert!(error.is_conflict() && !error.may_have_taken_effect());
        assert_eq!(subject.keys().await, before);
    })
    .await;
}

#[tokio::test]
async fn an_algorithm_that_cannot_be_generated_is_rejected() {
    with_set("algorithm", async |subject| {
        for alg in ["HS256", "HS512", "ES256K", "none"] {
            let request = CreateJsonWebKeySet { alg: alg.to_owned(), ..es256("first") };
            let error = subject.client.create_json_web_key_set(&subject.set, &request).await.expect_err("rejected");
            assert_eq!((error.kind(), error.status()), (&ErrorKind::Rejected, Some(400)), "{alg}");
            assert!(!error.may_have_taken_effect() && !error.is_transient(), "{alg}");
        }
        assert_eq!(subject.keys().await, None);
    })
    .await;
}

#[tokio::test]
async fn a_set_and_a_key_that_do_not_exist_are_absent() {
    with_set("absent", async |subject| {
        assert_eq!(subject.keys().await, None);
        let read = async || subject.client.get_json_web_key(&subject.set, "nothing").await.expect("an answer").value;
        assert_eq!(read().await, None, "no set, no key");
        subject.create("something").await;
        assert_eq!(read().await, None, "a set, no such key");
    })
    .await;
}

#[tokio::test]
async fn keys_come_newest_first_and_a_stored_one_moves_to_the_front() {
    with_set("order", async |subject| {
        let first = subject.create("first").await;
        subject.create("second").await;
        subject.create("third").await;
        assert_eq!(subject.kids().await, ["third", "second", "first"]);
        assert_eq!(subject.put(&first).await, first);
        assert_eq!(subject.kids().await, ["first", "third", "second"]);
        assert_eq!(subject.signer().await.as_deref(), Some("first"));
    })
    .await;
}

#[tokio::test]
async fn storing_a_key_drops_the_members_that_the_api_does_not_know() {
    with_set("shape", async |subject| {
        let mut expected = public_half(&subject.create("key").await);
        for name in ["alg", "use"] {
            // An allow-list of public members may drop these two; they are kept by the API.
            expected = expected.with(name, if name == "alg" { "ES256" } else { "sig" });
        }
        let sent = expected.clone().with("key_ops", json!(["verify"])).with("ext", true).with("exp", 1_700_000_000).with("note", "mine");
        assert_eq!(subject.put(&sent).await, expected);
        assert_eq!(subject.keys().await, Some(vec![expected]));
    })
    .await;
}

#[tokio::test]
async fn storing_a_key_creates_its_set() {
    with_set("put-first", async |subject| {
        let stored = key(json!({
            // RFC 7515 appendix A.3, without the private half.
            "kty": "EC", "kid": "p", "crv": "P-256", "use": "sig", "alg": "ES256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
        }));
        assert_eq!(subject.put(&stored).await, stored);
        assert_eq!(subject.keys().await, Some(vec![stored]));
    })
    .await;
}

#[tokio::test]
async fn a_stored_set_is_answered_as_sent_and_read_in_reverse() {
    with_set("put-set", async |subject| {
        for kid in ["old", "first", "second", "third"] {
            subject.create(kid).await;
        }
        let mut keys = subject.keys().await.expect("keys");
        keys.retain(|key| key.kid() != Some("old"));
        keys.sort_by_key(|key| key.kid().map(str::to_owned));
        let sent = JwkSet { keys };
        let answered = subject.client.set_json_web_key_set(&subject.set, &sent).await.expect("stored").value;
        assert_eq!(kids(&answered.keys), ["first", "second", "third"]);
        assert_eq!(answered, sent);
        assert_eq!(subject.kids().await, ["third", "second", "first"], "what was left out is gone, the last one signs");
    })
    .await;
}

#[tokio::test]
async fn storing_an_empty_set_deletes_it() {
    with_set("put-empty", async |subject| {
        subject.create("key").await;
        let answered = subject.client.set_json_web_key_set(&subject.set, &JwkSet::default()).await.expect("stored").value;
        assert_eq!(answered, JwkSet::default());
        assert_eq!(subject.keys().await, None);
    })
    .await;
}

#[tokio::test]
async fn a_set_with_one_bad_key_is_refused_as_a_whole() {
    with_set("put-bad", async |subject| {
        let good = subject.create("good").await;
        let before = subject.keys().await;
        let bad = key(json!({ "kty": "EC", "kid": "bad", "crv": "secp256k1", "x": "AA", "y": "AA" }));
        for (keys, kind) in [(vec![good.clone(), bad], ErrorKind::Rejected), (vec![good.clone(), good], ErrorKind::Conflict)] {
            let error = subject.client.set_json_web_key_set(&subject.set, &JwkSet { keys }).await.expect_err("refused");
            assert_eq!(error.kind(), &kind);
            assert!(!error.may_have_taken_effect());
            assert_eq!(subject.keys().await, before);
        }
    })
    .await;
}

#[tokio::test]
async fn deleting_what_is_absent_is_no_error() {
    with_set("delete", async |subject| {
        subject.create("first").await;
        subject.create("second").await;
        for _ in 0..2 {
            subject.client.delete_json_web_key(&subject.set, "first").await.expect("deleted");
            assert_eq!(subject.kids().await, ["second"]);
        }
        for _ in 0..2 {
            subject.client.delete_json_web_key_set(&subject.set).await.expect("deleted");
            assert_eq!(subject.keys().await, None);
        }
        subject.client.delete_json_web_key(&subject.set, "second").await.expect("deleted");
    })
    .await;
}

#[tokio::test]
async fn deleting_the_last_key_deletes_the_set() {
    with_set("delete-last", async |subject| {
        subject.create("only").await;
        subject.client.delete_json_web_key(&subject.set, "only").await.expect("deleted");
        assert_eq!(subject.keys().await, None);
    })
    .await;
}

#[tokio::test]
async fn a_public_half_in_front_does_not_sign_and_in_the_place_of_the_signer_ends_its_signing() {
    with_set("retire", async |subject| {
        subject.create("old").await;
        let new = subject.create("new").await;
        assert_eq!(subject.signer().await.as_deref(), Some("new"));
        subject.put(&public_half(&new)).await;
        assert_eq!(subject.kids().await, ["new", "old"]);
        assert_eq!(subject.signer().await.as_deref(), Some("old"), "the first private key signs");
        assert!(!subject.keys().await.expect("keys")[0].is_private(), "nothing of the private half is left");
        subject.put(&new).await;
        assert_eq!(subject.signer().await.as_deref(), Some("new"), "the private half under the same kid signs again");
    })
    .await;
}

#[tokio::test]
async fn ids_with_punctuation_address_what_they_name() {
    with_set("ids.of:many_kinds-", async |subject| {
        let mut ids = vec!["with:colon", "with.dot", "with-dash", "with_underscore", "..with-dots", "~tilde"];
        if subject.emulator.is_some() {
            // Older versions of Hydra route these wrongly.
            ids.extend(["with/slash", "with space", "schlüssel-鍵", "with%2Fpercent", "with?query#fragment", "with\"quote", "with+plus"]);
        }
        for id in &ids {
            let created = subject.create(id).await;
            let read = async || subject.client.get_json_web_key(&subject.set, id).await.expect("an answer").value;
            assert_eq!(read().await.as_ref(), Some(&created), "{id}");
            assert_eq!(&subject.put(&created).await, &created, "{id}");
            subject.client.delete_json_web_key(&subject.set, id).await.expect("deleted");
            assert_eq!(read().await, None, "{id}");
        }
        for id in &ids {
            let set = format!("{}{id}", subject.set);
            let created = subject.client.create_json_web_key_set(&set, &es256("key")).await.expect("a key").value;
            let read = async || subject.client.get_json_web_key_set(&set).await.expect("an answer").value;
            assert_eq!(read().await, Some(JwkSet { keys: vec![created] }), "{id}");
            subject.client.delete_json_web_key_set(&set).await.expect("deleted");
            assert_eq!(read().await, None, "{id}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_id_that_cannot_be_an_address_is_not_sent() {
    with_set("no-id", async |subject| {
        let good = subject.create("good").await;
        let before = subject.emulator.as_ref().map(|emulator| emulator.calls().all().len());
        let (client, set) = (&subject.client, subject.set.as_str());
        let mut errors = vec![
            client.create_json_web_key_set(set, &es256("")).await.expect_err("an empty kid"),
            client.set_json_web_key(set, "other", &good).await.expect_err("another kid"),
            client.delete_json_web_key_set("").await.expect_err("an empty set id"),
        ];
        for id in ["", ".", "..", "..."] {
            errors.push(client.get_json_web_key_set(id).await.expect_err("a climbing set id"));
            errors.push(client.get_json_web_key(set, id).await.expect_err("a climbing kid"));
            // Were the kid dropped from the address, this would delete the whole set.
            errors.push(client.delete_json_web_key(set, id).await.expect_err("a climbing kid"));
        }
        for error in errors {
            assert_eq!((error.kind(), error.status(), error.may_have_taken_effect()), (&ErrorKind::InvalidId, None, false), "{error}");
        }
        assert_eq!(subject.emulator.as_ref().map(|emulator| emulator.calls().all().len()), before);
        assert_eq!(subject.keys().await, Some(vec![good]));
    })
    .await;
}

#[tokio::test]
async fn every_answer_tells_the_time_of_the_server() {
    with_set("date", async |subject| {
        let (client, set) = (&subject.client, subject.set.as_str());
        let created = client.create_json_web_key_set(set, &es256("key")).await.expect("a key");
        let dates = [
            created.date,
            client.get_json_web_key_set(set).await.expect("a set").date,
            client.get_json_web_key(set, "key").await.expect("a key").date,
            client.get_json_web_key(set, "absent").await.expect("an answer").date,
            client.set_json_web_key(set, "key", &created.value).await.expect("stored").date,
            client.set_json_web_key_set(set, &JwkSet { keys: vec![created.value] }).await.expect("stored").date,
            client.delete_json_web_key(set, "key").await.expect("deleted").date,
            client.delete_json_web_key_set(set).await.expect("deleted").date,
            client.get_json_web_key_set(set).await.expect("an answer").date,
            client.ready().await.expect("ready").date,
            client.version().await.expect("a version").date,
        ];
        for date in dates {
            let difference = Timestamp::now().duration_since(date.expect("a date")).abs();
            assert!(difference < SignedDuration::from_mins(5), "{difference}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_date_is_the_servers_and_not_ours() {
    let emulator = Emulator::start(EmulatorOptions::default()).await.expect("the emulator starts");
    emulator.set_clock_offset(SignedDuration::from_hours(-48));
    let client = Config::new(emulator.url()).expect("a URL").timeout(Duration::from_secs(10)).build().expect("a client");
    let date = client.ready().await.expect("ready").date.expect("a date");
    let behind = Timestamp::now().duration_since(date);
    assert!((behind - SignedDuration::from_hours(48)).abs() < SignedDuration::from_mins(1), "{behind}");
}

#[tokio::test]
async fn the_server_says_that_it_is_ready_and_which_version_it_is() {
    with_set("health", async |subject| {
        subject.client.ready().await.expect("ready");
        let version = subject.client.version().await.expect("a version").value;
        assert!(!version.is_empty() && !version.contains(char::is_whitespace), "{version:?}");
    })
    .await;
}
