//! JWKs and JWK Sets as the admin API answers them.
#![no_main]

#[path = "../invariant.rs"]
mod invariant;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| invariant::json(bytes));
