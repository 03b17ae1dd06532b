//! The `jwk-operator` command.
fn main() -> anyhow::Result<()> {
    for (_, yaml) in jwk_operator::api::crds_yaml()? { print!("---\n{yaml}"); }
    Ok(())
}
