//! JSON Web Keys as values (RFC 7517, RFC 7518, RFC 7638, RFC 8037).
//!
//! A [`Jwk`] keeps every member it was parsed from, known or not, because a key that passes through the operator must come out as it went in.
//! What leaves for the eyes of others is a [`PublicJwk`]: it can only be made by the allow-list of its `kty`, so a private member cannot be in it.
//!
//! A key, its public half, its thumbprint, a set and how they are read are one thing in five files, which name each other.
//!
//! This module does no input or output and knows no clock.

pub(crate) mod algorithm;
mod debug;
pub mod import;
mod key;
mod kid;
mod parse;
mod public;
mod purpose;
mod set;
mod signing;
pub mod spki;
pub mod symmetric;
mod thumbprint;
pub(crate) mod validate;

pub use key::Jwk;
pub use kid::Kid;
pub use parse::ParseError;
pub use public::{PublicJwk, PublicJwkSet};
pub use set::JwkSet;
pub use thumbprint::{IncompleteKey, Thumbprint};
pub use validate::InvalidJwk;
