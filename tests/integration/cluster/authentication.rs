//! Each way to show who the operator is, from the Secret to the server.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, Response, StatusCode},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jwk_operator::api::AdminApi;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, api::PostParams};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{RootCertStore, ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer, server::WebPkiClientVerifier};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{operator::Playground, wait::eventually};

const SET: &str = r#"{"keys":[{"kty":"EC","kid":"a","use":"sig","alg":"ES256","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

fn answer(status: u16, body: &'static str) -> Response<Body> {
    Response::builder().status(StatusCode::from_u16(status).expect("a status")).body(Body::from(body)).expect("an answer")
}

/// An admin API that lets in whom `knows` knows.
pub(super) fn gate(knows: impl Fn(&HeaderMap) -> bool + Clone + Send + Sync + 'static) -> Router {
    Router::new().fallback(move |request: Request| {
        let is_known = knows(request.headers());
        async move {
            match (is_known, request.uri().path()) {
                (false, _) => answer(401, ""),
                (true, "/health/ready" | "/version") => answer(200, r#"{"status":"ok","version":"1"}"#),
                (true, _) => answer(200, SET),
            }
        }
    })
}

fn has(headers: &HeaderMap, name: &str, value: &str) -> bool {
    headers.get(name).is_some_and(|sent| sent == value)
}

pub(super) type Authority = CertifiedIssuer<'static, KeyPair>;

pub(super) fn authority() -> Authority {
    let mut parameters = CertificateParams::new([]).expect("parameters");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().expect("a key")).expect("an authority")
}

struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((stream, address)) = self.tcp.accept().await else { continue };
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

/// Serves https with a certificate of `authority`, and wants one of `clients` if there is such an authority.
pub(super) async fn https(router: Router, authority: &Authority, clients: Option<&Authority>) -> String {
    let key = KeyPair::generate().expect("a key");
    let parameters = CertificateParams::new(["127.0.0.1".to_owned()]).expect("parameters");
    let certificate = parameters.signed_by(&key, authority).expect("a certificate");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().expect("versions");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(clients.der().clone()).expect("a root");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().expect("a verifier");
            builder.with_client_cert_verifier(verifier)
        }
    };
    let config =
        builder.with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into())).expect("a server");
    let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("https://{}", tcp.local_addr().expect("an address"));
    let listener = TlsListener { tcp, acceptor: TlsAcceptor::from(Arc::new(config)) };
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn http(router: Router) -> String {
    let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", tcp.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(tcp, router).await });
    url
}

async fn secret(playground: &Playground, name: &str, admin_api: &str, data: Value) {
    let labels = json!({ "jwk-operator.dev/admin-api": admin_api });
    let secret = json!({ "metadata": { "name": name, "labels": labels }, "stringData": data });
    let secrets = playground.control_plane.api::<Secret>("jwk-operator");
    secrets.create(&PostParams::default(), &serde_json::from_value(secret).expect("a Secret")).await.expect("created");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_of_showing_who_it_is_works_from_the_secret_to_the_server() {
    let mut playground = Playground::without_operator().await;
    let (ours, clients) = (authority(), authority());

    let basic = format!("Basic {}", STANDARD.encode("operator:pa55-never-to-be-seen"));
    let basic = http(gate(move |headers| has(headers, "authorization", &basic))).await;
    secret(&playground, "basic", "basic", json!({ "username": "operator", "password": "pa55-never-to-be-seen\n" })).await;

    let header =
        http(gate(|headers| has(headers, "x-api-key", "key-never-to-be-seen") && has(headers, "x-forwarded-proto", "https"))).await;
    secret(&playground, "header", "header", json!({ "v": "key-never-to-be-seen" })).await;

    // A token by client credentials, from an endpoint with the same authority; the admin API wants a client certificate besides.
    let client = format!("Basic {}", STANDARD.encode("jwk:c5-never-to-be-seen"));
    let endpoint = Router::new().fallback(move |request: Request| {
        let is_known = has(request.headers(), "authorization", &client);
        async move {
            if is_known {
                answer(200, r#"{"access_token":"token-never-to-be-seen","token_type":"Bearer","expires_in":300}"#)
            } else {
                answer(401, "")
            }
        }
    });
    let endpoint = https(endpoint, &ours, None).await;
    let mutual = https(gate(|headers| has(headers, "authorization", "Bearer token-never-to-be-seen")), &ours, Some(&clients)).await;
    let key = KeyPair::generate().expect("a key");
    let certificate =
        CertificateParams::new(["jwk-operator".to_owned()]).expect("parameters").signed_by(&key, &clients).expect("a certificate");
    secret(&playground, "client", "mutual", json!({ "client_id": "jwk", "client_secret": "c5-never-to-be-seen" })).await;
    secret(&playground, "client-tls", "mutual", json!({ "tls.crt": certificate.pem(), "tls.key": key.serialize_pem() })).await;
    let map =
        json!({ "metadata": { "name": "ca", "labels": { "jwk-operator.dev/admin-api": "mutual" } }, "data": { "ca.crt": ours.pem() } });
    let maps = playground.control_plane.api::<ConfigMap>("jwk-operator");
    maps.create(&PostParams::default(), &serde_json::from_value(map).expect("a ConfigMap")).await.expect("created");

    let tls =
        json!({ "caRef": { "kind": "ConfigMap", "name": "ca", "key": "ca.crt" }, "clientCertificateSecretRef": { "name": "client-tls" } });
    let credentials =
        json!({ "clientCredentials": { "tokenUrl": format!("{endpoint}/token"), "secretRef": { "name": "client" }, "scopes": ["keys"] } });
    playground.start_operator().await;
    for (name, settings) in [
        ("basic", json!({ "url": basic, "auth": { "basic": { "secretRef": { "name": "basic" } } } })),
        (
            "header",
            json!({ "url": header, "forwardedProto": "https", "auth": { "header": { "name": "X-Api-Key", "secretRef": { "name": "header", "key": "v" } } } }),
        ),
        ("mutual", json!({ "url": mutual, "tls": tls, "auth": credentials })),
    ] {
        let mut spec = settings;
        spec["timeout"] = "5s".into();
        spec["access"] = json!([{ "namespaces": { "all": true }, "sets": ["{namespace}.*"] }]);
        let object = json!({ "apiVersion": "jwk-operator.dev/v1alpha1", "kind": "AdminApi", "metadata": { "name": name }, "spec": spec });
        playground.control_plane.apply(object).await.expect("an AdminApi");
        playground.apply("shop", name, json!({ "adminApiRef": { "name": name }, "mode": "Observe" })).await;
        playground.until_ready("shop", name).await;
    }
    assert!(!playground.logged().contains("never-to-be-seen"), "a credential is in the log");

    // A certificate of somebody else opens nothing.
    let stranger =
        CertificateParams::new(["jwk-operator".to_owned()]).expect("parameters").signed_by(&key, &authority()).expect("a certificate");
    let secrets = playground.control_plane.api::<Secret>("jwk-operator");
    let patch = kube::api::Patch::Merge(json!({ "stringData": { "tls.crt": stranger.pem() } }));
    secrets.patch("client-tls", &Default::default(), &patch).await.expect("changed");
    let admin_apis = Api::<AdminApi>::all(playground.control_plane.platform());
    eventually("the admin API lets it in no more", async || {
        let status = admin_apis.get("mutual").await.ok()?.status?;
        status.conditions.iter().any(|condition| condition.type_ == "Ready" && condition.reason == "AdminApiUnavailable").then_some(())
    })
    .await;
}
