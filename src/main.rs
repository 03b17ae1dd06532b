//! The `jwk-operator` command.

fn main() {}
