//! The admin API of Ory Hydra and Ory Network, as far as it concerns JSON Web Key Sets: a client of its seven operations.
//!
//! The client says what happened and hides nothing: which answers mean that a set is absent (a 404 of the API itself, and no other), which
//! failed write may still have taken effect, what may be repeated. It never follows a redirect, asks the environment for a proxy only if it is
//! told to, reads no more than a bounded answer, and no error repeats key material or credentials. Its clones share one gate: so many requests
//! in a second, so many at a time, and none while the server asks to wait or does not answer.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = jwk_operator::hydra::Config::new("http://hydra-admin.ory:4445")?.build()?;
//! match client.get_json_web_key_set("hydra.openid.id-token").await?.value {
//!     Some(set) => println!("{} keys", set.keys.len()),
//!     None => println!("the set does not exist"),
//! }
//! # Ok(())
//! # }
//! ```

mod authentication;
mod breaker;
mod client;
mod config;
mod config_error;
mod credentials;
mod decode;
#[cfg(feature = "emulator")]
pub mod emulator;
mod error;
mod gate;
mod observer;
mod operation;
mod received;
mod redact;
mod token;
mod transport;
mod url;
mod waits;

pub use authentication::Authentication;
pub use breaker::BreakerState;
pub use client::{Answer, Client, CreateJsonWebKeySet};
pub use config::Config;
pub use config_error::ConfigError;
pub use error::{Error, ErrorKind};
pub use gate::CallLimits;
pub use observer::Observer;
pub use operation::Operation;
pub use token::ClientCredentials;
