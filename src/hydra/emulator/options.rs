//! What can be chosen on the command line.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use clap::Args;

/// Options of the emulator.
#[derive(Args, Clone, Debug)]
pub struct EmulatorOptions {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4445")]
    pub listen: SocketAddr,
    /// File that keeps the content over restarts; it holds private keys
    #[arg(long, value_name = "PATH")]
    pub file: Option<PathBuf>,
    /// Set whose public keys /.well-known/jwks.json answers; may be repeated
    #[arg(long, value_name = "SET", default_value = "hydra.openid.id-token")]
    pub broadcast: Vec<String>,
    /// Listen on an address that others can reach, although anybody who reaches it can read all private keys
    #[arg(long)]
    pub allow_non_loopback: bool,
}

impl Default for EmulatorOptions {
    /// The loopback interface, a free port, nothing on disk, and the broadcast set of the command line: what a test wants.
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            file: None,
            broadcast: vec!["hydra.openid.id-token".to_owned()],
            allow_non_loopback: false,
        }
    }
}
