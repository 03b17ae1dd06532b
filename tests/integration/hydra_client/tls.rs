//! Certificates, and surroundings that have none.

use std::sync::Arc;

use jwk_operator::hydra::{Config, ConfigError, ErrorKind};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, process::Command};
use tokio_rustls::TlsAcceptor;

use super::server::{Server, config, failure, read_request, rude, seven};

/// A certificate authority of our own.
fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut parameters = CertificateParams::new([]).expect("parameters");
    // Told apart by name, as a client looks for the issuer.
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().expect("a key")).expect("an authority")
}

/// A server with a certificate of `authority` for `name`, which answers that its version is 1.
async fn https(authority: &CertifiedIssuer<'static, KeyPair>, name: &str, valid_until: i32) -> String {
    let key = KeyPair::generate().expect("a key");
    let mut parameters = CertificateParams::new([name.to_owned()]).expect("parameters");
    parameters.not_after = rcgen::date_time_ymd(valid_until, 1, 1);
    let certificate = parameters.signed_by(&key, authority).expect("a certificate");
    let server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .expect("a server");
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let url = rude(move |stream: TcpStream| {
        let acceptor = acceptor.clone();
        async move {
            // A client that does not trust us ends the handshake.
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            read_request(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 15\r\nconnection: close\r\n\r\n{\"version\":\"1\"}").await;
            let _ = stream.shutdown().await;
        }
    })
    .await;
    url.replace("http://", "https://")
}

#[tokio::test]
async fn a_server_with_a_certificate_of_the_given_authority_is_trusted() {
    let (authority, other) = (authority("ours"), authority("another"));
    let url = https(&authority, "127.0.0.1", 2999).await;
    for bundle in [authority.pem(), format!("# the other one\n{}{}", other.pem(), authority.pem())] {
        let client = config(&url).ca_bundle(bundle.into_bytes()).build().expect("a client");
        assert_eq!(client.version().await.expect("a version").value, "1");
    }
}

#[tokio::test]
async fn a_server_with_another_certificate_is_sent_nothing() {
    let (authority, other) = (authority("ours"), authority("another"));
    let untrusted = https(&other, "127.0.0.1", 2999).await;
    let misnamed = https(&authority, "hydra.example", 2999).await;
    let expired = https(&authority, "127.0.0.1", 2000).await;
    for (url, why) in [(untrusted, "UnknownIssuer"), (misnamed, "not valid for name"), (expired, "expired")] {
        for operation in seven() {
            // One for each: many failures of one client hold back its calls.
            let client = config(&url).ca_bundle(authority.pem().into_bytes()).build().expect("a client");
            let error = failure(&client, operation).await;
            assert_eq!(error.kind(), &ErrorKind::Unreachable, "{operation}");
            assert!(!error.may_have_taken_effect(), "{operation}");
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}

#[tokio::test]
async fn without_a_bundle_the_systems_certificates_decide() {
    let url = https(&authority("ours"), "127.0.0.1", 2999).await;
    // A system without any certificate already refuses the client.
    if let Ok(client) = config(&url).build() {
        assert_eq!(client.version().await.expect_err("not trusted").kind(), &ErrorKind::Unreachable);
    }
}

#[tokio::test]
async fn https_is_not_spoken_in_the_clear() {
    let server = Server::always(200, &[], r#"{"version":"1"}"#).await;
    let url = server.url.replace("http://", "https://");
    for operation in seven() {
        let client = config(&url).ca_bundle(authority("ours").pem().into_bytes()).build().expect("a client");
        assert_eq!(failure(&client, operation).await.kind(), &ErrorKind::Unreachable, "{operation}");
    }
    assert!(server.received().is_empty());
}

#[test]
fn a_bundle_without_a_certificate_is_refused() {
    let key = KeyPair::generate().expect("a key").serialize_pem();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned();
    let cut = authority("ours").pem().split_at(100).0.to_owned();
    for bundle in [String::new(), "no PEM".to_owned(), key, broken, cut] {
        for url in ["https://hydra.example", "http://hydra.example"] {
            let error = Config::new(url).expect("a URL").ca_bundle(bundle.clone().into_bytes()).build().expect_err("refused");
            assert!(matches!(error, ConfigError::InvalidCaBundle | ConfigError::SetUpTls(_)), "{error}");
            assert!(!error.to_string().contains("BEGIN"), "{error}");
        }
    }
}

/// The URL that a test, run again in a process of its own, shall call.
const CHILD: &str = "JWK_OPERATOR_TEST_CHILD_URL";

#[tokio::test]
async fn plain_http_needs_no_certificates_and_asks_no_proxy() {
    if let Ok(url) = std::env::var(CHILD) {
        let https = url.replace("http://", "https://");
        assert_eq!(config(&https).build().expect_err("nothing to check a certificate with"), ConfigError::NoAuthorities);
        config(&https).ca_bundle(authority("ours").pem().into_bytes()).build().expect("a client");
        assert_eq!(config(&url).build().expect("a client").version().await.expect("a version").value, "direct");
        return;
    }
    let server = Server::always(200, &[], r#"{"version":"direct"}"#).await;
    let proxy = Server::always(200, &[], r#"{"version":"by proxy"}"#).await;
    let nothing = tempfile::tempdir().expect("a directory");
    // The environment is one for all threads, so that only a process of its own can have another one.
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(["--exact", "hydra_client::tls::plain_http_needs_no_certificates_and_asks_no_proxy"]).env(CHILD, &server.url);
    for name in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        child.env(name, nothing.path().join("absent"));
    }
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        child.env(name, &proxy.url);
    }
    for name in ["NO_PROXY", "no_proxy", "REQUEST_METHOD"] {
        child.env_remove(name);
    }
    let output = child.output().await.expect("the child runs");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
    assert_eq!((server.received().len(), proxy.received().len()), (1, 0));
}
