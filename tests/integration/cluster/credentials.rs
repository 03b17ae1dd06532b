//! An AdminApi or its token changes while the operator runs.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use super::operator::{Playground, generated};

/// What every token here ends with. Digits alone would meet a time or a port in the log, by chance.
const MARK: &str = "never-to-be-seen";

/// A gateway in front of the admin API that wants a token, and knows which.
async fn gateway(admin_url: String, wanted: Arc<Mutex<String>>) -> String {
    let client = jwk_operator::hydra::Config::new(&admin_url).expect("a URL").build().expect("a client");
    let handle = async move |headers: HeaderMap, request: axum::extract::Request| {
        let wanted = format!("Bearer {}", wanted.lock().expect("a lock"));
        if headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) != Some(&wanted) {
            return (StatusCode::UNAUTHORIZED, r#"{"error":{"code":401,"message":"no"}}"#.to_owned()).into_response();
        }
        match request.uri().path() {
            "/health/ready" | "/version" => (StatusCode::OK, r#"{"status":"ok","version":"gateway"}"#.to_owned()).into_response(),
            path => match client.get_json_web_key_set(path.rsplit('/').next().unwrap_or_default()).await.expect("an answer").value {
                Some(set) => (StatusCode::OK, serde_json::to_string(&set).expect("JSON")).into_response(),
                None => (StatusCode::NOT_FOUND, r#"{"error":"Not Found","error_description":"none"}"#.to_owned()).into_response(),
            },
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handle)).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_token_url_or_grant_is_picked_up_without_a_restart() {
    let mut playground = Playground::without_operator().await;
    let wanted = Arc::new(Mutex::new("second-never-to-be-seen".to_owned()));
    let url = gateway(playground.emulator.url().to_owned(), wanted.clone()).await;
    let auth = json!({ "bearerToken": { "secretRef": { "name": "ory-token" } } });
    playground.admin_api(json!({ "url": url, "auth": auth, "resyncInterval": "2s", "timeout": "1s" })).await;
    playground.start_operator().await;
    playground.apply("shop", "watched", json!({ "mode": "Observe" })).await;
    playground.until_reason("shop", "watched", "CredentialsMissing").await;

    // A Secret that nobody offered is not read.
    let secrets = playground.control_plane.api::<Secret>("jwk-operator");
    let secret = json!({ "metadata": { "name": "ory-token" }, "stringData": { "token": "first-never-to-be-seen" } });
    secrets.create(&PostParams::default(), &serde_json::from_value(secret).expect("a Secret")).await.expect("created");
    let label = json!({ "metadata": { "labels": { "jwk-operator.dev/admin-api": "default" } } });
    secrets.patch("ory-token", &PatchParams::default(), &Patch::Merge(label)).await.expect("labelled");
    playground.until_reason("shop", "watched", "AdminApiUnauthorized").await;

    let token = json!({ "stringData": { "token": "second-never-to-be-seen\n" } });
    secrets.patch("ory-token", &PatchParams::default(), &Patch::Merge(token)).await.expect("changed");
    playground.until_ready("shop", "watched").await;

    // No process list, no environment and no core dump shows the token.
    for file in ["cmdline", "environ", "status"] {
        assert!(!playground.process(file).contains(MARK), "the token is in {file}");
    }
    let limits = playground.process("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert!(core.split_whitespace().filter(|word| *word == "0").count() == 2, "{core}");

    // Another address, without credentials.
    playground.admin_api(json!({ "resyncInterval": "2s", "timeout": "1s" })).await;
    playground.apply("shop", "payments", json!({ "keys": [generated("signing", "ES256")] })).await;
    playground.until_ready("shop", "payments").await;

    // A grant that is taken away stops the writes and deletes nothing.
    playground.admin_api(json!({ "resyncInterval": "2s", "timeout": "1s", "access": [] })).await;
    playground.until_reason("shop", "payments", "AccessDenied").await;
    assert_eq!(playground.remote("shop.payments").len(), 1);
    playground.sets("shop").delete("payments", &Default::default()).await.expect("deleted");
    playground.until_gone("shop", "payments").await;
    assert_eq!(playground.remote("shop.payments").len(), 1, "without a grant the remote set stays");
    assert!(!playground.logged().contains(MARK), "the token is in the log");
}
