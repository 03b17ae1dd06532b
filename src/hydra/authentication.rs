//! How a client shows who it is.

use std::fmt;

use http::{HeaderName, HeaderValue, header};
use secrecy::{ExposeSecret as _, SecretString};
use strum::IntoStaticStr;
use zeroize::Zeroizing;

use super::{
    config_error::ConfigError,
    credentials::{Credentials, encode_basic},
    error::Error,
    operation::Call,
    token::{ClientCredentials, TokenSource},
};

/// How a client shows who it is. The credentials are sent to the admin API and to nobody else: redirects are not followed.
#[derive(Clone, IntoStaticStr)]
pub enum Authentication {
    /// `Authorization: Bearer` (RFC 6750).
    BearerToken(SecretString),
    /// `Authorization: Basic` (RFC 7617).
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: SecretString,
    },
    /// A header of its own.
    Header {
        /// The name.
        name: String,
        /// The value.
        value: SecretString,
    },
    /// A token that is fetched when it is needed, by the client credentials grant (RFC 6749 section 4.4).
    ClientCredentials(ClientCredentials),
}

impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.into())
    }
}

/// The credentials, ready to be sent.
pub(super) enum Authorization {
    /// None.
    Anonymous,
    /// Always the same.
    Fixed { name: HeaderName, value: HeaderValue, secrets: Vec<SecretString> },
    /// Tokens that expire.
    Token(Box<TokenSource>),
}

impl Authorization {
    /// Prepares credentials. `http` is the client for the token endpoint.
    pub(super) fn new(
        authentication: Option<Authentication>,
        http: impl FnOnce() -> Result<reqwest::Client, ConfigError>,
    ) -> Result<Self, ConfigError> {
        let fixed = |name: HeaderName, value: &str, secrets: Vec<SecretString>| {
            let mut value = HeaderValue::from_str(value).map_err(|_| ConfigError::InvalidCredentials)?;
            value.set_sensitive(true);
            Ok(Self::Fixed { name, value, secrets })
        };
        match authentication {
            None => Ok(Self::Anonymous),
            Some(Authentication::BearerToken(token)) => {
                let value = Zeroizing::new(format!("Bearer {}", token.expose_secret()));
                fixed(header::AUTHORIZATION, &value, vec![token])
            }
            Some(Authentication::Basic { username, password }) => {
                if username.contains(':') {
                    return Err(ConfigError::InvalidCredentials);
                }
                let encoded = encode_basic(&username, password.expose_secret());
                let value = Zeroizing::new(format!("Basic {}", encoded.expose_secret()));
                fixed(header::AUTHORIZATION, &value, vec![password, encoded])
            }
            Some(Authentication::Header { name, value }) => {
                let name = HeaderName::try_from(name).map_err(|_| ConfigError::InvalidCredentials)?;
                let text = Zeroizing::new(value.expose_secret().to_owned());
                fixed(name, &text, vec![value])
            }
            Some(Authentication::ClientCredentials(credentials)) => Ok(Self::Token(Box::new(TokenSource::new(http()?, credentials)?))),
        }
    }

    /// What a request carries.
    pub(super) async fn credentials(&self, call: &Call<'_>) -> Result<Credentials, Error> {
        match self {
            Self::Anonymous => Ok(Credentials { header: None, secrets: Vec::new(), token: None }),
            Self::Fixed { name, value, secrets } => {
                Ok(Credentials { header: Some((name.clone(), value.clone())), secrets: secrets.clone(), token: None })
            }
            Self::Token(source) => source.credentials(call).await,
        }
    }

    /// The admin API refused these credentials. Answers whether others can be had: then the request, which was not acted on, is worth another
    /// try.
    pub(super) async fn were_refused(&self, credentials: &Credentials) -> bool {
        match (self, credentials.token) {
            (Self::Token(source), Some(token)) => {
                source.forget(token).await;
                true
            }
            _ => false,
        }
    }
}
