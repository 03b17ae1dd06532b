//! Access tokens by the client credentials grant (RFC 6749 section 4.4), fetched before the old one ends.

use std::{
    fmt,
    net::IpAddr,
    time::{Duration, Instant},
};

use http::{HeaderValue, header};
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer};
use tokio::sync::Mutex;
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use super::{
    config_error::ConfigError,
    credentials::{Credentials, encode_basic},
    error::{Error, ErrorKind},
    operation::Call,
};

/// How many bytes a token endpoint may answer.
const LONGEST_ANSWER: usize = 64 << 10;
/// How long a token counts if the endpoint does not say when it ends.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(300);
/// How long before its end a token is not used any more, at least.
const MARGIN: Duration = Duration::from_secs(5);

/// What a token is asked for with.
#[derive(Clone)]
pub struct ClientCredentials {
    /// Where: https, or http on a loopback address.
    pub token_url: String,
    /// The client.
    pub client_id: String,
    /// Its secret, sent by `Authorization: Basic` (RFC 6749 section 2.3.1).
    pub client_secret: SecretString,
    /// The scopes to ask for.
    pub scopes: Vec<String>,
    /// The audience to ask for.
    pub audience: Option<String>,
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials").field("token_url", &self.token_url).field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

/// The tokens of one client.
pub(super) struct TokenSource {
    http: reqwest::Client,
    url: Url,
    authorization: HeaderValue,
    /// What the body says (RFC 6749 section 4.4.2).
    form: Vec<(&'static str, String)>,
    secrets: Vec<SecretString>,
    /// Held while a token is fetched, so that many calls fetch one.
    current: Mutex<Option<Token>>,
}

#[derive(Clone)]
struct Token {
    number: u64,
    text: SecretString,
    renew_at: Instant,
    ends_at: Instant,
}

#[derive(Deserialize)]
struct Granted {
    #[serde(deserialize_with = "secret")]
    access_token: SecretString,
    token_type: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

impl TokenSource {
    pub(super) fn new(http: reqwest::Client, credentials: ClientCredentials) -> Result<Self, ConfigError> {
        let url = Url::parse(&credentials.token_url).map_err(|_| ConfigError::InvalidTokenUrl)?;
        let is_loopback =
            url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok()).is_some_and(|ip| ip.is_loopback());
        let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        if !(url.scheme() == "https" || url.scheme() == "http" && is_loopback) || !is_plain {
            return Err(ConfigError::InvalidTokenUrl);
        }
        let encode = |text: &str| Zeroizing::new(byte_serialize(text.as_bytes()).collect::<String>());
        let basic = encode_basic(&encode(&credentials.client_id), &encode(credentials.client_secret.expose_secret()));
        let header = Zeroizing::new(format!("Basic {}", basic.expose_secret()));
        let mut authorization = HeaderValue::from_str(&header).map_err(|_| ConfigError::InvalidCredentials)?;
        authorization.set_sensitive(true);
        let mut form = vec![("grant_type", "client_credentials".to_owned())];
        if !credentials.scopes.is_empty() {
            form.push(("scope", credentials.scopes.join(" ")));
        }
        form.extend(credentials.audience.map(|audience| ("audience", audience)));
        Ok(Self { http, url, authorization, form, secrets: vec![credentials.client_secret, basic], current: Mutex::new(None) })
    }

    /// A token that has not ended yet.
    pub(super) async fn credentials(&self, call: &Call<'_>) -> Result<Credentials, Error> {
        let mut current = self.current.lock().await;
        let now = Instant::now();
        let token = match current.clone() {
            Some(token) if now < token.renew_at => token,
            before => match self.fetch(call, before.as_ref().map_or(0, |token| token.number + 1)).await {
                Ok(token) => token,
                // The old one still counts: an endpoint that is away for a moment stops nobody.
                Err(error) => before.filter(|token| Instant::now() < token.ends_at).ok_or(error)?,
            },
        };
        *current = Some(token.clone());
        let text = Zeroizing::new(format!("Bearer {}", token.text.expose_secret()));
        let mut value = HeaderValue::from_str(&text).map_err(|_| Error::new(call, ErrorKind::TokenUnavailable, None))?;
        value.set_sensitive(true);
        let secrets = self.secrets.iter().cloned().chain([token.text.clone()]).collect();
        Ok(Credentials { header: Some((header::AUTHORIZATION, value)), secrets, token: Some(token.number) })
    }

    /// The admin API refused this token. A newer one that another call fetched meanwhile stays.
    pub(super) async fn forget(&self, number: u64) {
        let mut current = self.current.lock().await;
        if let Some(token) = current.as_mut().filter(|token| token.number == number) {
            // The number stays, so that the next token has another one.
            token.renew_at = Instant::now();
            token.ends_at = Instant::now();
        }
    }

    async fn fetch(&self, call: &Call<'_>, number: u64) -> Result<Token, Error> {
        let unavailable = |why: &str, status: Option<u16>| Error::new(call, ErrorKind::TokenUnavailable, status).with_words(why.to_owned());
        let asked = Instant::now();
        let request = self
            .http
            .post(self.url.clone())
            .header(header::AUTHORIZATION, self.authorization.clone())
            .header(header::ACCEPT, "application/json")
            .form(&self.form);
        let mut response = request
            .send()
            .await
            .map_err(|error| unavailable(if error.is_connect() { "it cannot be reached" } else { "the connection broke" }, None))?;
        let status = response.status().as_u16();
        match status {
            200..=299 => {}
            408 | 425 | 429 => return Err(unavailable("it asked to wait", Some(status))),
            400..=499 => return Err(Error::new(call, ErrorKind::TokenRefused, Some(status))),
            _ => return Err(unavailable("it failed, or answered with a redirect, which is not followed", Some(status))),
        }
        let mut body = Zeroizing::new(Vec::with_capacity(LONGEST_ANSWER));
        while let Some(chunk) = response.chunk().await.map_err(|_| unavailable("the connection broke", Some(status)))? {
            if body.len() + chunk.len() > LONGEST_ANSWER {
                return Err(unavailable("its answer is too large", Some(status)));
            }
            body.extend_from_slice(&chunk);
        }
        // The parser's own message may repeat a value.
        let granted: Granted = serde_json::from_slice(&body).map_err(|_| unavailable("its answer cannot be understood", Some(status)))?;
        if !granted.token_type.eq_ignore_ascii_case("bearer") || granted.access_token.expose_secret().is_empty() {
            return Err(unavailable("it granted no bearer token", Some(status)));
        }
        let lifetime = granted.expires_in.map_or(DEFAULT_LIFETIME, Duration::from_secs).min(Duration::from_secs(30 * 86_400));
        let renew_after = lifetime.mul_f64(0.8).min(lifetime.saturating_sub(MARGIN));
        Ok(Token { number, text: granted.access_token, renew_at: asked + renew_after, ends_at: asked + lifetime })
    }
}
