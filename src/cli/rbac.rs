//! `jwk-operator rbac`.

use anyhow::Context as _;
use clap::Args;

use crate::operator;

#[derive(Debug, Args)]
pub(super) struct RbacOptions {
    /// The namespace that the operator runs in.
    #[arg(long, default_value = "jwk-operator")]
    namespace: String,
    /// Print only what the operator needs for this namespace. Repeatable. Defaults to the whole cluster.
    #[arg(long, value_name = "NAMESPACE", conflicts_with = "users")]
    watch_namespace: Vec<String>,
    /// The name of the Lease.
    #[arg(long, default_value = "jwk-operator", value_name = "NAME")]
    lease_name: String,
    /// Write the rules into this folder instead, as the Helm chart reads them.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["users", "watch_namespace"])]
    chart: Option<std::path::PathBuf>,
    /// Print the roles of users instead: who may see key sets, who may request them, and who may say which admin APIs there are.
    #[arg(long)]
    users: bool,
}

pub(super) fn print(options: &RbacOptions) -> anyhow::Result<()> {
    if let Some(folder) = &options.chart {
        for (name, yaml) in operator::chart_rules()? {
            let path = folder.join(name);
            std::fs::write(&path, yaml).with_context(|| format!("cannot write {}", path.display()))?;
        }
        return Ok(());
    }
    let yaml = if options.users {
        operator::users_yaml()?
    } else {
        operator::operator_yaml(operator::Installation {
            namespace: &options.namespace,
            watched: &options.watch_namespace,
            lease: &options.lease_name,
        })?
    };
    print!("{yaml}");
    Ok(())
}
