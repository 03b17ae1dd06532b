//! jwk-operator makes the JSON Web Key Sets of Ory Hydra match `JsonWebKeySet` resources.
//!
//! The rooms of this crate and what each may use are described in ARCHITECTURE.md.

#![warn(clippy::too_many_lines)]

pub mod api;
pub mod cli;
pub mod election;
pub mod escape;
pub mod hydra;
pub mod jwk;
pub mod lifecycle;
pub mod operator;
pub mod serve;
#[cfg_attr(not(feature = "otlp"), path = "no_trace_context.rs")]
mod trace_context;
