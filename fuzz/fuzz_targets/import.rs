//! Keys to import: JWK, JWK Set, PEM, certificates.
#![no_main]

#[path = "../invariant.rs"]
mod invariant;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| invariant::import(bytes, None));
