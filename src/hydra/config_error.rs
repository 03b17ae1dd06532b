//! What can be wrong with the configuration of a client.

/// Why an admin API cannot be reached as configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The URL is more or less than scheme, host and port.
    #[error("the url must be http or https with a host and a port, and nothing else")]
    InvalidUrl,
    /// The path prefix would change the meaning of the paths.
    #[error("the path prefix must begin with a slash, must not end with one, and must not hold an empty or dotted segment")]
    InvalidPathPrefix,
    /// The certificates cannot be read.
    #[error("the CA bundle must hold certificates in PEM")]
    InvalidCaBundle,
    /// The client's own certificate cannot be used.
    #[error("the client certificate must be a certificate chain and its private key in PEM")]
    InvalidClientCertificate,
    /// The credentials are not valid in a header. The text does not repeat them.
    #[error("the credentials cannot be sent: a header must hold visible ASCII characters only, and a user name no colon")]
    InvalidCredentials,
    /// A token must not travel in the clear.
    #[error("the token URL must be https and must not carry credentials")]
    InvalidTokenUrl,
    /// An image need not have any.
    #[error("the system has no CA certificates to verify the server with, and no CA bundle is given (tls.caRef, --ca-file)")]
    NoAuthorities,
    /// The TLS library refuses the settings.
    #[error("TLS cannot be set up: {0}")]
    SetUpTls(String),
}
