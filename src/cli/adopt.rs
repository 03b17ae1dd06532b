//! `jwk-operator adopt`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use secrecy::SecretString;

use crate::{
    escape::escaped,
    hydra,
    lifecycle::{self, Adoption, is_set_id},
};

#[derive(Debug, Args)]
pub(super) struct AdoptOptions {
    /// Scheme, host and port of the admin API, for example http://127.0.0.1:4445.
    #[arg(long, value_name = "URL")]
    admin_url: String,
    /// The id of the remote set.
    #[arg(long, value_name = "ID")]
    set: String,
    /// Path prefix of /keys; empty for Hydra 1.x.
    #[arg(long, value_name = "PATH", default_value = "/admin")]
    path_prefix: String,
    /// A file with the bearer token.
    #[arg(long, value_name = "FILE")]
    bearer_token_file: Option<PathBuf>,
    /// A file with the CA certificates that the server is verified with, as PEM.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// The namespace of the resource. Defaults to the part of the set id before the first dot.
    #[arg(long)]
    namespace: Option<String>,
    /// The name of the resource. Defaults to the rest of the set id.
    #[arg(long)]
    name: Option<String>,
    /// The AdminApi of the resource. Defaults to the one named default.
    #[arg(long)]
    admin_api: Option<String>,
}

pub(super) async fn print(options: AdoptOptions) -> anyhow::Result<()> {
    if !is_set_id(&options.set) {
        bail!(
            "set {:?} cannot be adopted: the set id of a JsonWebKeySet must consist of at most 200 letters, digits and . _ : -",
            options.set
        );
    }
    let client = client(&options)?;
    let answer = client.get_json_web_key_set(&options.set).await.with_context(|| format!("cannot read set {}", options.set))?;
    let Some(live) = answer.value else { bail!("there is no set {} at {}", options.set, options.admin_url) };
    let (namespace, name) = place(&options);
    let adoption = lifecycle::adoption(&options.set.as_str().into(), &live, &namespace, &name, options.admin_api.as_deref());
    print!("{}", yaml(&adoption)?);
    Ok(())
}

fn client(options: &AdoptOptions) -> anyhow::Result<hydra::Client> {
    let mut config = hydra::Config::new(&options.admin_url)?.path_prefix(&options.path_prefix)?;
    if let Some(file) = &options.bearer_token_file {
        config = config.bearer_token(SecretString::from(read(file)?.trim().to_owned()));
    }
    if let Some(file) = &options.ca_file {
        config = config.ca_bundle(read(file)?.into_bytes());
    }
    Ok(config.build()?)
}

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Where the resource belongs: as the default id of a set, `{namespace}.{name}`, says.
fn place(options: &AdoptOptions) -> (String, String) {
    let is_name =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let split = options.set.split_once('.').filter(|(namespace, name)| is_name(namespace) && is_name(name));
    let fallback = || {
        let lower = options.set.to_ascii_lowercase();
        let plain: String = lower.chars().map(|character| if character.is_ascii_alphanumeric() { character } else { '-' }).collect();
        plain.chars().take(63).collect::<String>().trim_matches('-').to_owned()
    };
    let namespace = options.namespace.clone().unwrap_or_else(|| split.map_or("default", |(namespace, _)| namespace).to_owned());
    let name = options.name.clone().unwrap_or_else(|| split.map_or_else(fallback, |(_, name)| name.to_owned()));
    (namespace, name)
}

/// The resource as a person would write it, the remarks as comments above.
fn yaml(adoption: &Adoption) -> anyhow::Result<String> {
    let mut value = serde_json::to_value(&adoption.resource)?;
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, member| !member.is_null());
    }
    let mut text = "# Adopts the set as it is: applying this changes nothing there.\n".to_owned();
    for remark in &adoption.remarks {
        text.push_str(&format!("# {}\n", escaped(remark)));
    }
    text.push_str(&serde_saphyr::to_string(&value)?);
    Ok(text)
}
