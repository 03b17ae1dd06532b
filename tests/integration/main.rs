//! Integration tests: one module per subject.

#[cfg(feature = "emulator")]
mod adopt;
#[cfg(feature = "emulator")]
mod cluster;
#[cfg(feature = "emulator")]
mod contract;
#[cfg(feature = "emulator")]
mod emulator;
#[cfg(feature = "emulator")]
mod emulator_certificates;
#[cfg(feature = "emulator")]
mod emulator_measured;
#[cfg(feature = "emulator")]
mod emulator_recording;
#[cfg(feature = "emulator")]
mod emulator_store;
#[cfg(feature = "emulator")]
mod gitops;
mod hydra_client;
mod import_cases;
mod import_table;
mod jwk;
#[cfg(feature = "emulator")]
mod lifecycle;
#[cfg(feature = "emulator")]
mod raw_http;
#[cfg(feature = "emulator")]
mod recorded;
mod signing;
