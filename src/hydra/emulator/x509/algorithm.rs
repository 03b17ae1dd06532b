//! Which algorithm a signature or a key is for.

use super::{fault::Fault, input::Input};

/// The identifier of an algorithm, and its parameters, empty if there are none.
pub(super) fn algorithm(mut input: Input<'_>) -> Result<(&[u8], &[u8]), Fault> {
    let identifier = input.identifier().ok_or("x509: malformed OID")?;
    if input.is_empty() {
        return Ok((identifier, &[]));
    }
    let (_, parameters, _) = input.any().ok_or("x509: malformed parameters")?;
    Ok((identifier, parameters))
}
