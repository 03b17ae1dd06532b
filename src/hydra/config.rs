//! How the admin API is reached.

use std::{fmt, sync::Arc, time::Duration};

use reqwest::{Certificate, ClientBuilder, Identity, Url, redirect, tls};
use rustls_native_certs::load_native_certs;
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::{
    authentication::{Authentication, Authorization},
    client::Client,
    config_error::ConfigError,
    gate::{CallLimits, Gate},
    observer::Observer,
    transport::Transport,
};

/// How long one call may take.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the generation of a key may take: an RSA key takes seconds, more under load.
const DEFAULT_GENERATION_TIMEOUT: Duration = Duration::from_secs(60);
/// How long making a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How many bytes an answer may have: some thousand keys.
const LONGEST_ANSWER: usize = 4 << 20;

/// How the admin API is reached: [`Config::new`], then what differs from the defaults, then [`Config::build`].
pub struct Config {
    base: Url,
    path_prefix: String,
    authentication: Option<Authentication>,
    ca_bundle: Option<Vec<u8>>,
    client_certificate: Option<Zeroizing<Vec<u8>>>,
    forwarded_proto: Option<&'static str>,
    uses_environment_proxy: bool,
    limits: CallLimits,
    observer: Option<Arc<dyn Observer>>,
    timeout: Duration,
    generation_timeout: Duration,
    longest_answer: usize,
}

impl Config {
    /// An admin API at `url`: scheme, host and port, for example `http://hydra-admin.ory:4445`. Path prefix `/admin`, no credentials, the
    /// system's certificates, 60 s for the generation of a key, 15 s for every other call, 4 MiB for an answer.
    ///
    /// # Errors
    /// [`ConfigError::InvalidUrl`].
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        let base = Url::parse(url).map_err(|_| ConfigError::InvalidUrl)?;
        let is_bare = base.path() == "/"
            && base.query().is_none()
            && base.fragment().is_none()
            && base.username().is_empty()
            && base.password().is_none();
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() || !is_bare {
            return Err(ConfigError::InvalidUrl);
        }
        Ok(Self {
            base,
            path_prefix: "/admin".to_owned(),
            authentication: None,
            ca_bundle: None,
            client_certificate: None,
            forwarded_proto: None,
            uses_environment_proxy: false,
            limits: CallLimits::default(),
            observer: None,
            timeout: DEFAULT_TIMEOUT,
            generation_timeout: DEFAULT_GENERATION_TIMEOUT,
            longest_answer: LONGEST_ANSWER,
        })
    }

    /// Path prefix of `/keys`: `/admin`, or `""` for Hydra 1.x.
    ///
    /// # Errors
    /// [`ConfigError::InvalidPathPrefix`].
    pub fn path_prefix(mut self, prefix: &str) -> Result<Self, ConfigError> {
        let is_plain = |segment: &str| {
            !segment.is_empty()
                && !segment.chars().all(|c| c == '.')
                && segment.bytes().all(|c| c.is_ascii_alphanumeric() || b"-._~".contains(&c))
        };
        let is_valid = prefix.is_empty() || prefix.strip_prefix('/').is_some_and(|segments| segments.split('/').all(is_plain));
        if !is_valid {
            return Err(ConfigError::InvalidPathPrefix);
        }
        self.path_prefix = prefix.to_owned();
        Ok(self)
    }

    /// Shows who the client is.
    pub fn authentication(mut self, authentication: Authentication) -> Self {
        self.authentication = Some(authentication);
        self
    }

    /// Sends `Authorization: Bearer` with this token.
    pub fn bearer_token(self, token: SecretString) -> Self {
        self.authentication(Authentication::BearerToken(token))
    }

    /// Trusts servers whose certificate is signed by one of these, in PEM, and no others. The token endpoint may have one of the system, too.
    pub fn ca_bundle(mut self, pem: Vec<u8>) -> Self {
        self.ca_bundle = Some(pem);
        self
    }

    /// Shows the admin API this certificate: the chain and its private key, in PEM.
    pub fn client_certificate(mut self, pem: Zeroizing<Vec<u8>>) -> Self {
        self.client_certificate = Some(pem);
        self
    }

    /// Sends `X-Forwarded-Proto`, as a proxy that ends TLS would.
    pub fn forwarded_proto(mut self, scheme: &'static str) -> Self {
        self.forwarded_proto = Some(scheme);
        self
    }

    /// Reports each call when it is over.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Whether `HTTPS_PROXY` and its like count. They do not, unless this says so.
    pub fn environment_proxy(mut self, counts: bool) -> Self {
        self.uses_environment_proxy = counts;
        self
    }

    /// How much may be asked of the server by this client and its clones.
    pub fn limits(mut self, limits: CallLimits) -> Self {
        self.limits = limits;
        self
    }

    /// How long one call may take, repeats of reads included; the generation of a key as well, unless
    /// [`generation_timeout`](Self::generation_timeout) follows.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self.generation_timeout = timeout;
        self
    }

    /// How long the generation of a key may take.
    pub fn generation_timeout(mut self, timeout: Duration) -> Self {
        self.generation_timeout = timeout;
        self
    }

    /// How many bytes an answer may have.
    pub fn longest_answer(mut self, bytes: usize) -> Self {
        self.longest_answer = bytes;
        self
    }

    /// The client.
    ///
    /// # Errors
    /// Any [`ConfigError`] but [`ConfigError::InvalidUrl`] and [`ConfigError::InvalidPathPrefix`], which are found earlier.
    pub fn build(self) -> Result<Client, ConfigError> {
        let mut http = self.plain();
        if let Some(pem) = &self.client_certificate {
            http = http.identity(Identity::from_pem(pem).map_err(|_| ConfigError::InvalidClientCertificate)?);
        }
        let http = match self.certificates()? {
            Some(certificates) => built(http.tls_certs_only(certificates))?,
            // Otherwise the system's certificates are loaded although nothing uses them, which fails in an image that has none.
            None if self.base.scheme() == "http" => built(http.tls_certs_only([]))?,
            None => built_on_system(http)?,
        };
        let authorization = Authorization::new(self.authentication.clone(), || self.token_client())?;
        let gate = Gate::new(self.limits, self.generation_timeout);
        let Self { base, path_prefix, forwarded_proto, timeout, generation_timeout, longest_answer, .. } = self;
        Ok(Client::new(Transport {
            http,
            base,
            path_prefix,
            authorization,
            forwarded_proto,
            gate,
            observer: self.observer,
            timeout,
            generation_timeout,
            longest_answer,
        }))
    }

    /// What is common to the clients of the admin API and of the token endpoint.
    fn plain(&self) -> ClientBuilder {
        let http = reqwest::Client::builder()
            .user_agent(concat!("jwk-operator/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .referer(false)
            // Shorter than the whole, so that a call that was never sent is told apart from one that was not answered.
            .connect_timeout(CONNECT_TIMEOUT.min(self.timeout * 3 / 4))
            .tls_version_min(tls::Version::TLS_1_2);
        if self.uses_environment_proxy { http } else { http.no_proxy() }
    }

    /// The client of the token endpoint. It never shows the client certificate.
    fn token_client(&self) -> Result<reqwest::Client, ConfigError> {
        let Some(certificates) = self.certificates()? else { return built_on_system(self.plain()) };
        // An image may have no certificates of the system.
        built(self.plain().tls_certs_merge(certificates.clone())).or_else(|_| built(self.plain().tls_certs_only(certificates)))
    }

    fn certificates(&self) -> Result<Option<Vec<Certificate>>, ConfigError> {
        let Some(pem) = &self.ca_bundle else { return Ok(None) };
        let certificates = Certificate::from_pem_bundle(pem).ok().filter(|certificates| !certificates.is_empty());
        certificates.ok_or(ConfigError::InvalidCaBundle).map(Some)
    }
}

fn built(http: ClientBuilder) -> Result<reqwest::Client, ConfigError> {
    http.build().map_err(|error| ConfigError::SetUpTls(root_cause(&error)))
}

/// A client that verifies servers by the certificates of the system.
fn built_on_system(http: ClientBuilder) -> Result<reqwest::Client, ConfigError> {
    // The library has no kind for "there are none", so that they are looked for where it looks.
    built(http).map_err(|error| if load_native_certs().certs.is_empty() { ConfigError::NoAuthorities } else { error })
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("base", &self.base.as_str())
            .field("path_prefix", &self.path_prefix)
            .field("authentication", &self.authentication)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
