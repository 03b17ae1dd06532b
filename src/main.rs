//! The `jwk-operator` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    jwk_operator::cli::main()
}
