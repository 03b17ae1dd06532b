//! `jwk-operator crds`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::api;

#[derive(Debug, Args)]
pub(super) struct CrdsOptions {
    /// Write one file for each definition into this folder instead of printing them.
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

pub(super) fn print(options: &CrdsOptions) -> anyhow::Result<()> {
    for (name, yaml) in api::crds_yaml()? {
        match &options.output {
            Some(folder) => {
                let path = folder.join(name);
                std::fs::write(&path, yaml).with_context(|| format!("cannot write {}", path.display()))?;
            }
            None => print!("---\n{yaml}"),
        }
    }
    Ok(())
}
