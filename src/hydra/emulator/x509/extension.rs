//! The extensions of a certificate. Each that Go knows has to have its right form; what it says counts for nothing here.

use std::net::IpAddr;

use super::{
    fault::Fault,
    input::{Input, tag, to_i64},
};

/// `id-ce`, 2.5.29, under which X.509 has its own extensions.
const STANDARD: [u8; 2] = [0x55, 0x1d];
const AUTHORITY_INFO_ACCESS: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x01];

/// One extension.
struct Extension<'a> {
    identifier: &'a [u8],
    is_critical: bool,
    value: Input<'a>,
}

/// Reads the extensions, if there are any: first the form of all, then what is in each.
pub(super) fn check_all(signed: &mut Input<'_>) -> Result<(), Fault> {
    const MALFORMED: &str = "x509: malformed extensions";
    let Some(mut list) = signed.optional(tag::CONTEXT_CONSTRUCTED | 3).ok_or(MALFORMED)? else { return Ok(()) };
    let mut list = list.read(tag::SEQUENCE).ok_or(MALFORMED)?;
    let mut extensions: Vec<Extension<'_>> = Vec::new();
    while !list.is_empty() {
        let extension = read(list.read(tag::SEQUENCE).ok_or("x509: malformed extension")?)?;
        if extensions.iter().any(|other| other.identifier == extension.identifier) {
            let identifier = dotted(extension.identifier);
            return Err(format!("x509: certificate contains duplicate extension with OID '{identifier}'").into());
        }
        extensions.push(extension);
    }
    extensions.iter().try_for_each(check)
}

fn read(mut extension: Input<'_>) -> Result<Extension<'_>, Fault> {
    let identifier = extension.identifier().ok_or("x509: malformed extension OID field")?;
    let mut is_critical = false;
    if extension.is_next(tag::BOOLEAN) {
        is_critical = extension.boolean().ok_or("x509: malformed extension critical field")?;
    }
    let value = extension.read(tag::OCTET_STRING).ok_or("x509: malformed extension value field")?;
    Ok(Extension { identifier, is_critical, value })
}

fn dotted(identifier: &[u8]) -> String {
    der::asn1::ObjectIdentifier::from_bytes(identifier).map(|identifier| identifier.to_string()).unwrap_or_default()
}

/// An extension that Go does not know may hold anything, critical or not.
fn check(extension: &Extension<'_>) -> Result<(), Fault> {
    let value = extension.value;
    if extension.identifier == AUTHORITY_INFO_ACCESS {
        not_critical(extension, "x509: authority info access incorrectly marked critical")?;
        return authority_info_access(value).ok_or("x509: invalid authority info access".into());
    }
    let Some(&[number]) = extension.identifier.strip_prefix(&STANDARD) else { return Ok(()) };
    let (form, fault): (Option<()>, &str) = match number {
        14 => {
            not_critical(extension, "x509: subject key identifier incorrectly marked critical")?;
            ({ value }.read(tag::OCTET_STRING).map(drop), "x509: invalid subject key identifier")
        }
        15 => ({ value }.bit_string().map(drop), "x509: invalid key usage"),
        17 => return alternative_names(value),
        19 => (basic_constraints(value), "x509: invalid basic constraints"),
        30 => return name_constraints(value),
        31 => return distribution_points(value),
        32 => (policies(value), "x509: invalid certificate policies"),
        33 => (policy_mappings(value), "x509: invalid policy mappings extension"),
        35 => {
            not_critical(extension, "x509: authority key identifier incorrectly marked critical")?;
            (authority_key_identifier(value), "x509: invalid authority key identifier")
        }
        36 => (policy_constraints(value), "x509: invalid policy constraints extension"),
        37 => (extended_key_usages(value), "x509: invalid extended key usages"),
        54 => ({ value }.small_integer().map(drop), "x509: invalid inhibit any policy extension"),
        _ => (Some(()), ""),
    };
    form.ok_or(fault.into())
}

fn not_critical(extension: &Extension<'_>, fault: &'static str) -> Result<(), Fault> {
    if extension.is_critical { Err(fault.into()) } else { Ok(()) }
}

/// Reads the elements of a SEQUENCE, which is all that counts of `value`, to its end.
fn each<'a>(mut value: Input<'a>, mut read: impl FnMut(&mut Input<'a>) -> Option<()>) -> Option<()> {
    let mut list = value.read(tag::SEQUENCE)?;
    while !list.is_empty() {
        read(&mut list)?;
    }
    Some(())
}

fn authority_info_access(value: Input<'_>) -> Option<()> {
    each(value, |list| {
        let mut description = list.read(tag::SEQUENCE)?;
        description.identifier()?;
        description.optional(tag::CONTEXT | 6).map(drop)
    })
}

fn basic_constraints(mut value: Input<'_>) -> Option<()> {
    let mut constraints = value.read(tag::SEQUENCE)?;
    if constraints.is_next(tag::BOOLEAN) {
        constraints.boolean()?;
    }
    if constraints.is_next(tag::INTEGER) {
        constraints.small_integer().filter(|length| *length >= 0)?;
    }
    Some(())
}

fn policies(value: Input<'_>) -> Option<()> {
    let mut seen: Vec<&[u8]> = Vec::new();
    each(value, |list| {
        let identifier = list.read(tag::SEQUENCE)?.read(tag::OBJECT_IDENTIFIER)?.0;
        let is_whole = identifier.last().is_some_and(|last| last & 0x80 == 0);
        let is_short = identifier.split_inclusive(|byte| byte & 0x80 == 0).all(|number| number.first() != Some(&0x80));
        let is_new = !seen.contains(&identifier);
        seen.push(identifier);
        (is_whole && is_short && is_new).then_some(())
    })
}

fn policy_mappings(value: Input<'_>) -> Option<()> {
    each(value, |list| {
        let mut mapping = list.read(tag::SEQUENCE)?;
        mapping.read(tag::OBJECT_IDENTIFIER)?;
        mapping.read(tag::OBJECT_IDENTIFIER).map(drop)
    })
}

fn authority_key_identifier(mut value: Input<'_>) -> Option<()> {
    value.read(tag::SEQUENCE)?.optional(tag::CONTEXT).map(drop)
}

fn policy_constraints(mut value: Input<'_>) -> Option<()> {
    let mut constraints = value.read(tag::SEQUENCE)?;
    for number in [tag::CONTEXT, tag::CONTEXT | 1] {
        if constraints.is_next(number) {
            to_i64(constraints.integer_of(number)?)?;
        }
    }
    Some(())
}

fn extended_key_usages(value: Input<'_>) -> Option<()> {
    each(value, |list| list.identifier().map(drop))
}

fn distribution_points(mut value: Input<'_>) -> Result<(), Fault> {
    const INVALID: &str = "x509: invalid CRL distribution point";
    let mut points = value.read(tag::SEQUENCE).ok_or("x509: invalid CRL distribution points")?;
    while !points.is_empty() {
        let mut point = points.read(tag::SEQUENCE).ok_or(INVALID)?;
        let Some(mut name) = point.optional(tag::CONTEXT_CONSTRUCTED).ok_or(INVALID)? else { continue };
        let mut full = name.read(tag::CONTEXT_CONSTRUCTED).ok_or(INVALID)?;
        while full.is_next(tag::CONTEXT | 6) {
            full.read(tag::CONTEXT | 6).ok_or(INVALID)?;
        }
    }
    Ok(())
}

/// Of a URI nothing is checked but that it is ASCII; Go parses it.
fn alternative_names(mut value: Input<'_>) -> Result<(), Fault> {
    let mut names = value.read(tag::SEQUENCE).ok_or("x509: invalid subject alternative names")?;
    while !names.is_empty() {
        let (kind, _, name) = names.any().ok_or("x509: invalid subject alternative name")?;
        let fault = match kind ^ tag::CONTEXT {
            1 if !name.0.is_ascii() => "x509: SAN rfc822Name is malformed",
            2 if !name.0.is_ascii() => "x509: SAN dNSName is malformed",
            6 if !name.0.is_ascii() => "x509: SAN uniformResourceIdentifier is malformed",
            7 if !matches!(name.0.len(), 4 | 16) => {
                return Err(format!("x509: cannot parse IP address of length {}", name.0.len()).into());
            }
            _ => continue,
        };
        return Err(fault.into());
    }
    Ok(())
}

fn name_constraints(mut value: Input<'_>) -> Result<(), Fault> {
    const INVALID: &str = "x509: invalid NameConstraints extension";
    let mut constraints = value.read(tag::SEQUENCE).filter(|_| value.is_empty()).ok_or(INVALID)?;
    let permitted = constraints.optional(tag::CONTEXT_CONSTRUCTED).ok_or(INVALID)?;
    let excluded = constraints.optional(tag::CONTEXT_CONSTRUCTED | 1).ok_or(INVALID)?;
    if !constraints.is_empty() {
        return Err(INVALID.into());
    }
    if permitted.into_iter().chain(excluded).all(Input::is_empty) {
        return Err("x509: empty name constraints extension".into());
    }
    for mut subtrees in permitted.into_iter().chain(excluded) {
        while !subtrees.is_empty() {
            let (kind, _, base) = subtrees.read(tag::SEQUENCE).and_then(|mut subtree| subtree.any()).ok_or(INVALID)?;
            name_constraint(kind ^ tag::CONTEXT, base.0)?;
        }
    }
    Ok(())
}

/// Of a whole mail address nothing is checked but that it is ASCII; Go parses it.
fn name_constraint(kind: u8, base: &[u8]) -> Result<(), Fault> {
    if kind == 7 {
        return address_constraint(base);
    }
    let (1 | 2 | 6) = kind else { return Ok(()) };
    let Some(text) = std::str::from_utf8(base).ok().filter(|text| text.is_ascii()) else {
        return Err(format!("x509: invalid constraint value: x509: '{}' cannot be encoded as an IA5String", base.escape_ascii()).into());
    };
    let name = match kind {
        1 if text.contains('@') => return Ok(()),
        1 => "rfc822Name",
        2 => "dnsName",
        _ if text.parse::<IpAddr>().is_ok() => {
            return Err(format!("x509: failed to parse URI constraint '{text}': cannot be IP address").into());
        }
        _ => "URI",
    };
    if is_domain(text) { Ok(()) } else { Err(format!("x509: failed to parse {name} constraint '{text}'").into()) }
}

/// A domain of visible characters without empty labels; a dot in front takes in those below it.
fn is_domain(text: &str) -> bool {
    let labels = text.strip_prefix('.').unwrap_or(text);
    text.is_empty() || labels.split('.').all(|label| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_graphic()))
}

/// An address and a mask of the same length, whose bits are set from the left.
fn address_constraint(base: &[u8]) -> Result<(), Fault> {
    if !matches!(base.len(), 8 | 32) {
        return Err(format!("x509: IP constraint contained value of length {}", base.len()).into());
    }
    let (_, mask) = base.split_at(base.len() / 2);
    let ones = mask.iter().map(|byte| byte.leading_ones()).take_while(|ones| *ones == 8).count();
    let is_mask = |byte: &u8| byte.leading_ones() + byte.trailing_zeros() == 8 || *byte == 0;
    let rest = mask.get(ones..).unwrap_or_default();
    if rest.first().is_none_or(is_mask) && rest.iter().skip(1).all(|byte| *byte == 0) {
        return Ok(());
    }
    let digits: String = mask.iter().map(|byte| format!("{byte:02x}")).collect();
    Err(format!("x509: IP constraint contained invalid mask {digits}").into())
}
