//! An admin API that lies, stalls or floods: nothing leaks, nothing hangs, nothing is published.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{Response, StatusCode},
};
use futures::stream;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::PostParams;
use serde_json::json;

use super::operator::Playground;

const TOKEN: &str = "ory_pat_4711_never_to_be_seen";
const PRIVATE_MEMBER: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";

/// How the server misbehaves at the moment, and who was sent to the other host.
#[derive(Clone, Default)]
struct Server {
    behaviour: Arc<Mutex<&'static str>>,
    elsewhere: Arc<Mutex<String>>,
}

fn answer(status: u16, body: impl Into<Body>) -> Response<Body> {
    Response::builder().status(StatusCode::from_u16(status).expect("a status")).body(body.into()).expect("an answer")
}

fn key(kid: &str) -> String {
    format!(
        r#"{{"kty":"EC","kid":"{kid}","use":"sig","alg":"ES256","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"{PRIVATE_MEMBER}"}}"#
    )
}

async fn misbehave(State(server): State<Server>, request: axum::extract::Request) -> Response<Body> {
    if matches!(request.uri().path(), "/health/ready" | "/version") {
        return answer(200, r#"{"status":"ok","version":"1"}"#);
    }
    let behaviour = *server.behaviour.lock().expect("a lock");
    let absent = || answer(404, r#"{"error":"Not Found","error_description":"Unable to locate the requested resource"}"#);
    let is_read = request.method() == "GET";
    match behaviour {
        "redirect" => {
            let location = server.elsewhere.lock().expect("a lock").clone();
            Response::builder().status(301).header("location", location).body(Body::empty()).expect("an answer")
        }
        "flood" => {
            let chunk = axum::body::Bytes::from(vec![b'a'; 1 << 20]);
            answer(200, Body::from_stream(stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone())).take_ten_thousand()))
        }
        "trickle" => {
            let slowly = stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_millis(200)).await;
                Some((Ok::<_, std::io::Error>("{"), ()))
            });
            answer(200, Body::from_stream(slowly))
        }
        "page" => answer(200, format!("<html><body>{TOKEN} {PRIVATE_MEMBER}</body></html>")),
        "deep" => answer(200, format!("{}{}", r#"{"keys":["#.repeat(200), "]}".repeat(200))),
        "echo" => answer(500, format!("{{\"error\":\"{TOKEN}\",\"error_description\":\"{PRIVATE_MEMBER}\"}}")),
        // To a POST for one key the answer is another one, of another set.
        "wrong key" if is_read => absent(),
        "wrong key" => answer(201, format!(r#"{{"keys":[{}]}}"#, key("bank.payments.signing.20260101T000000Z"))),
        "two keys" if is_read => absent(),
        "two keys" => answer(201, format!(r#"{{"keys":[{},{}]}}"#, key("a"), key("b"))),
        "unauthorized" => answer(401, r#"{"error":"Not Found","error_description":"Unable to locate the requested resource"}"#),
        _ => answer(404, "<html>not here</html>"),
    }
}

/// An end for what would else have none: 10,000 chunks of 1 MiB are 10 GB.
trait TakeTenThousand: futures::Stream + Sized {
    fn take_ten_thousand(self) -> futures::stream::Take<Self> {
        futures::StreamExt::take(self, 10_000)
    }
}

impl<S: futures::Stream> TakeTenThousand for S {}

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks_hangs_or_is_published() {
    let server = Server::default();
    let visited = Arc::new(Mutex::new(0));
    let visits = visited.clone();
    let elsewhere = serve(Router::new().fallback(move || {
        *visits.lock().expect("a lock") += 1;
        async { "thank you" }
    }))
    .await;
    *server.elsewhere.lock().expect("a lock") = elsewhere;
    let url = serve(Router::new().fallback(misbehave).with_state(server.clone())).await;
    let mut playground = Playground::without_operator().await;
    let secrets = playground.control_plane.api::<Secret>("jwk-operator");
    let secret =
        json!({ "metadata": { "name": "token", "labels": { "jwk-operator.dev/admin-api": "default" } }, "stringData": { "token": TOKEN } });
    secrets.create(&PostParams::default(), &serde_json::from_value(secret).expect("a Secret")).await.expect("created");
    let auth = json!({ "bearerToken": { "secretRef": { "name": "token" } } });
    playground.admin_api(json!({ "url": url, "auth": auth, "resyncInterval": "60s", "timeout": "1s" })).await;
    playground.start_operator().await;
    for (number, (behaviour, reason)) in [
        ("redirect", "AdminApiRefused"),
        ("flood", "AdminApiRefused"),
        ("trickle", "AdminApiUnavailable"),
        ("page", "AdminApiRefused"),
        ("deep", "AdminApiRefused"),
        ("echo", "AdminApiUnavailable"),
        ("wrong key", "AdminApiRefused"),
        ("two keys", "AdminApiRefused"),
        ("unauthorized", "AdminApiUnauthorized"),
        ("not the API", "AdminApiRefused"),
    ]
    .into_iter()
    .enumerate()
    {
        *server.behaviour.lock().expect("a lock") = behaviour;
        let name = format!("set-{number}");
        playground.apply("shop", &name, json!({ "keys": [{ "name": "signing", "generate": { "alg": "ES256" } }] })).await;
        let started = std::time::Instant::now();
        let status = playground.until_reason("shop", &name, reason).await;
        assert!(started.elapsed() < Duration::from_secs(15), "{behaviour}: {:?}", started.elapsed());
        let told = serde_json::to_string(&status).expect("JSON");
        assert!(!told.contains(TOKEN) && !told.contains(PRIVATE_MEMBER), "{behaviour}: {told}");
        assert!(status.kids.is_empty() && status.targets.is_empty(), "{behaviour}: {told}");
        // Out of the way of the next one.
        let gone = json!([{ "op": "add", "path": "/spec/deletionPolicy", "value": "Retain" }]);
        let patch = kube::api::Patch::<()>::Json(serde_json::from_value(gone).expect("a patch"));
        playground.sets("shop").patch(&name, &Default::default(), &patch).await.expect("changed");
        playground.sets("shop").delete(&name, &Default::default()).await.expect("deleted");
        playground.until_gone("shop", &name).await;
    }
    assert_eq!(*visited.lock().expect("a lock"), 0, "the other host was visited");
    let maps = playground.control_plane.api::<ConfigMap>("shop").list(&Default::default()).await.expect("a list").items;
    assert!(maps.iter().all(|map| map.metadata.name.as_deref() == Some("kube-root-ca.crt")), "{maps:?}");
    let logged = playground.logged();
    assert!(!logged.contains(TOKEN) && !logged.contains(PRIVATE_MEMBER), "a secret is in the log");
    let peak = playground.process("status").lines().find_map(|line| line.strip_prefix("VmHWM:").map(str::to_owned)).expect("a peak");
    let kilobytes: u64 = peak.split_whitespace().next().and_then(|text| text.parse().ok()).expect("a number");
    assert!(kilobytes < 200_000, "10 GB went into memory: {peak}");
}
