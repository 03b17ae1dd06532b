//! The admin API of Ory Hydra and Ory Network, as far as it concerns JSON Web Key Sets: a client of its seven operations.
//!
//! The client says what happened and hides nothing: which answers mean that a set is absent (a 404 of the API itself, and no other), which
//! failed write may still have taken effect, what may be repeated. It never follows a redirect, never asks the environment for a proxy, reads
//! no more than a bounded answer, and no error repeats key material or the token.
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

mod client;
mod config;
mod decode;
#[cfg(feature = "emulator")]
pub mod emulator;
mod error;
mod operation;
mod received;
mod redact;
mod transport;
mod url;

pub use client::{Answer, Client, CreateJsonWebKeySet};
pub use config::{Config, ConfigError};
pub use error::{Error, ErrorKind};
pub use operation::Operation;
