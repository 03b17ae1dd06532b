//! One certificate, as Go's `crypto/x509` parses it, with its words for what it refuses.
//!
//! Neither the signature nor the time is looked at: parsing is all that go-jose does with a certificate.

use super::{
    algorithm::algorithm,
    extension,
    fault::Fault,
    input::{Input, tag},
    name,
    public_key::{self, CertifiedKey},
};

/// The public key of a certificate. Everything else has to have its right form, and is dropped.
pub(in crate::hydra::emulator) fn parse(der: &[u8]) -> Result<CertifiedKey, Fault> {
    let mut outer = Input(der);
    let mut certificate = outer.read(tag::SEQUENCE).ok_or("x509: malformed certificate")?;
    let mut signed = certificate.read(tag::SEQUENCE).ok_or("x509: malformed tbs certificate")?;
    let version = version(&mut signed)?;
    serial_number(&mut signed)?;
    signature_algorithm(&mut signed, &mut certificate)?;
    name::check(&mut signed)?;
    validity(&mut signed)?;
    name::check(&mut signed)?;
    let key = public_key::read(&mut signed)?;
    if version > 1 {
        signed.optional(tag::CONTEXT | 1).ok_or("x509: malformed issuerUniqueID")?;
        signed.optional(tag::CONTEXT | 2).ok_or("x509: malformed subjectUniqueID")?;
    }
    if version == 3 {
        extension::check_all(&mut signed)?;
    }
    certificate.bit_string().ok_or("x509: malformed signature")?;
    if outer.is_empty() { Ok(key) } else { Err("x509: trailing data".into()) }
}

/// 1, 2 or 3.
fn version(signed: &mut Input<'_>) -> Result<i64, Fault> {
    let malformed = "x509: malformed version";
    let version = match signed.optional(tag::CONTEXT_CONSTRUCTED).ok_or(malformed)? {
        None => 0,
        Some(mut inner) => inner.small_integer().filter(|version| inner.is_empty() && *version >= 0).ok_or(malformed)?,
    };
    if version > 2 { Err("x509: invalid version".into()) } else { Ok(version + 1) }
}

fn serial_number(signed: &mut Input<'_>) -> Result<(), Fault> {
    let number = signed.integer().ok_or("x509: malformed serial number")?;
    if number.first().is_some_and(|first| first & 0x80 != 0) { Err("x509: negative serial number".into()) } else { Ok(()) }
}

/// The algorithm stands in two places.
fn signature_algorithm(signed: &mut Input<'_>, certificate: &mut Input<'_>) -> Result<(), Fault> {
    let inner = signed.read(tag::SEQUENCE).ok_or("x509: malformed signature algorithm identifier")?;
    let outer = certificate.read(tag::SEQUENCE).ok_or("x509: malformed algorithm identifier")?;
    if inner.0 != outer.0 {
        return Err("x509: inner and outer signature algorithm identifiers don't match".into());
    }
    algorithm(inner).map(drop)
}

fn validity(signed: &mut Input<'_>) -> Result<(), Fault> {
    let mut validity = signed.read(tag::SEQUENCE).ok_or("x509: malformed validity")?;
    time(&mut validity)?;
    time(&mut validity)
}

fn time(input: &mut Input<'_>) -> Result<(), Fault> {
    const UTC_TIME: u8 = 0x17;
    const GENERALIZED_TIME: u8 = 0x18;
    if input.is_next(UTC_TIME) {
        let time = input.read(UTC_TIME).filter(|time| is_time(time.0, 2));
        time.map(drop).ok_or("x509: malformed UTCTime".into())
    } else if input.is_next(GENERALIZED_TIME) {
        let time = input.read(GENERALIZED_TIME).filter(|time| is_time(time.0, 4));
        time.map(drop).ok_or("x509: malformed GeneralizedTime".into())
    } else {
        Err("x509: unsupported time format".into())
    }
}

/// Whether a text is a time with so many digits of the year, to the second, with `Z` or an offset. Only UTCTime may leave out the seconds.
fn is_time(text: &[u8], year_digits: usize) -> bool {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let has_seconds = digits == year_digits + 10;
    if !(has_seconds || (digits == 8 + year_digits && year_digits == 2)) {
        return false;
    }
    let (date, zone) = text.split_at(digits);
    let number = |digits: &[u8]| digits.iter().fold(0_i16, |number, digit| number * 10 + i16::from(digit - b'0'));
    let (year, rest) = date.split_at(year_digits);
    // The century decides about leap days alone, and 2000 and 1900 + 50 to 99 have them every four years.
    let year = if year_digits == 2 { 2000 + number(year) } else { number(year) };
    let mut parts = rest.chunks(2).map(|part| i8::try_from(number(part)).unwrap_or(i8::MAX));
    let mut part = || parts.next().unwrap_or_default();
    let is_date = jiff::civil::Date::new(year, part(), part()).is_ok();
    let is_clock = jiff::civil::Time::new(part(), part(), part(), 0).is_ok();
    is_date && is_clock && is_zone(zone)
}

/// `Z`, or an offset that is not zero: Go writes zero as `Z` and wants to read what it would write.
fn is_zone(zone: &[u8]) -> bool {
    let &[sign, h1, h0, m1, m0] = zone else { return zone == b"Z" };
    let are_digits = [h1, h0, m1, m0].iter().all(u8::is_ascii_digit);
    let (hours, minutes) = ([h1, h0], [m1, m0]);
    matches!(sign, b'+' | b'-') && are_digits && hours <= *b"24" && minutes < *b"60" && (hours, minutes) != (*b"00", *b"00")
}
