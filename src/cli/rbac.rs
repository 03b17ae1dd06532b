//! `jwk-operator rbac`.

use clap::Args;

use crate::operator;

#[derive(Debug, Args)]
pub(super) struct RbacOptions {
    /// The namespace that the operator runs in.
    #[arg(long, default_value = "jwk-operator")]
    namespace: String,
    /// Only what it needs for this namespace. Repeatable. Absent: for the whole cluster.
    #[arg(long, value_name = "NAMESPACE", conflicts_with = "users")]
    watch_namespace: Vec<String>,
    /// The roles of people instead: who may see, who may ask for key sets, who may say which admin APIs there are.
    #[arg(long)]
    users: bool,
}

pub(super) fn print(options: &RbacOptions) -> anyhow::Result<()> {
    let yaml = if options.users { operator::users_yaml() } else { operator::operator_yaml(&options.namespace, &options.watch_namespace) };
    print!("{yaml}");
    Ok(())
}
