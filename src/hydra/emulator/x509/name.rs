//! The issuer and the subject of a certificate.

use super::{
    fault::Fault,
    input::{Input, tag},
};

/// Reads a name. It is nobody's business what it says, but each value has to be a string of its kind.
pub(super) fn check(signed: &mut Input<'_>) -> Result<(), Fault> {
    const INVALID: &str = "x509: invalid RDNSequence";
    let mut name = signed.read(tag::SEQUENCE).ok_or("x509: malformed issuer")?;
    while !name.is_empty() {
        let mut set = name.read(tag::SET).ok_or(INVALID)?;
        while !set.is_empty() {
            let mut attribute = set.read(tag::SEQUENCE).ok_or_else(|| format!("{INVALID}: invalid attribute"))?;
            attribute.identifier().ok_or_else(|| format!("{INVALID}: invalid attribute type"))?;
            let (kind, _, value) = attribute.any().ok_or_else(|| format!("{INVALID}: invalid attribute value"))?;
            check_string(kind, value.0).map_err(|fault| format!("{INVALID}: invalid attribute value: {fault}"))?;
        }
    }
    Ok(())
}

fn check_string(kind: u8, value: &[u8]) -> Result<(), Fault> {
    let (name, is_right) = match kind {
        0x0c => ("invalid UTF-8 string", std::str::from_utf8(value).is_ok()),
        0x12 => ("invalid NumericString", value.iter().all(|byte| byte.is_ascii_digit() || *byte == b' ')),
        0x13 => ("invalid PrintableString", value.iter().all(|byte| is_printable(*byte))),
        // T61String: any byte is taken as Latin-1.
        0x14 => ("", true),
        0x16 => ("invalid IA5String", value.is_ascii()),
        0x1e => ("invalid BMPString", is_bmp_string(value)),
        other => return Err(format!("unsupported string type: {other}").into()),
    };
    if is_right { Ok(()) } else { Err(name.into()) }
}

/// The characters of PrintableString, and two more that certificates are known to have.
fn is_printable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" '()+,-./:=?*&".contains(&byte)
}

/// UTF-16 without surrogates and without what is no character.
fn is_bmp_string(value: &[u8]) -> bool {
    let no_character = |unit: u16| matches!(unit, 0xd800..=0xdfff | 0xfdd0..=0xfdef | 0xfffe | 0xffff);
    value.len().is_multiple_of(2) && !value.chunks(2).any(|unit| no_character(u16::from(unit[0]) << 8 | u16::from(unit[1])))
}
