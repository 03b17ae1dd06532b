//! An emulator of Ory Hydra's admin API for JSON Web Key Sets: the seven operations, `/health`, `/version` and `/.well-known/jwks.json`.
//!
//! It answers as a real Hydra was measured to answer (`tests/data/hydra/`): status, body, order of keys, headers. It is what the tests and the
//! demo talk to when there is no Hydra, and [`Store`], its state without HTTP, is the model of the remote set in property tests.
//!
//! It holds private keys in memory and asks nobody for a password, so it listens on the loopback interface unless it is told otherwise.
//! It does not sign tokens and knows no OAuth 2.0.

mod answer;
mod calls;
mod chain;
mod connection;
mod decode;
mod faults;
mod file;
mod generate;
mod go_base64;
mod go_json;
mod journal;
mod options;
mod refusal;
mod route;
mod server;
mod service;
mod store;
mod x509;

pub use calls::{Calls, EmulatedOperation, ReceivedCall};
pub use faults::{Effect, Fault, Faults};
pub use generate::{DerivedKeys, Generate, RandomKeys};
pub use journal::{Change, Journal};
pub use options::EmulatorOptions;
pub use refusal::Refusal;
pub use server::{Emulator, EmulatorError, run};
pub use store::Store;
