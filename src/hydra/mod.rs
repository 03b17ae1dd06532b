//! The admin API of Ory Hydra, as far as it concerns JSON Web Key Sets.

#[cfg(feature = "emulator")]
pub mod emulator;
