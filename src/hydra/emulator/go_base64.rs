//! Base64 as Go's `encoding/base64` decodes it: line breaks are dropped, bits that nobody uses may be set, and an error tells its place.

use zeroize::Zeroizing;

/// The two alphabets, each with what Go's encoding of that name does about padding.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// `StdEncoding`: `+` and `/`, padding must be there.
    Standard,
    /// `RawURLEncoding`: `-` and `_`, padding must not be there.
    RawUrl,
}

/// Where the first bad byte is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("illegal base64 data at input byte {0}")]
pub(super) struct CorruptInput(usize);

/// The bytes of `text`.
pub(super) fn decode(encoding: Encoding, text: &str) -> Result<Zeroizing<Vec<u8>>, CorruptInput> {
    let text = text.as_bytes();
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 4 * 3 + 3));
    let mut at = 0;
    while at < text.len() {
        let mut values = [0; 4];
        let found = quantum(encoding, text, &mut at, &mut values)?;
        let word = values.iter().fold(0_u32, |word, value| word << 6 | u32::from(*value));
        // Two characters are one byte, three are two, four are three; none are left after a last line break.
        bytes.extend_from_slice(&word.to_be_bytes()[1..][..found.saturating_sub(1)]);
    }
    Ok(bytes)
}

/// Reads up to four characters of the alphabet from `at` on, and says how many there were.
fn quantum(encoding: Encoding, text: &[u8], at: &mut usize, values: &mut [u8; 4]) -> Result<usize, CorruptInput> {
    let mut found = 0;
    while found < 4 {
        let Some(&byte) = text.get(*at) else {
            return match found {
                0 => Ok(0),
                2 | 3 if encoding == Encoding::RawUrl => Ok(found),
                _ => Err(CorruptInput(*at - found)),
            };
        };
        *at += 1;
        match value(encoding, byte) {
            Some(value) => {
                values[found] = value;
                found += 1;
            }
            None if is_line_break(byte) => {}
            None if byte == b'=' && encoding == Encoding::Standard => return padding(text, at, found),
            None => return Err(CorruptInput(*at - 1)),
        }
    }
    Ok(found)
}

/// What may follow the first `=`: a second one after two characters, line breaks, and then the end.
fn padding(text: &[u8], at: &mut usize, found: usize) -> Result<usize, CorruptInput> {
    if found < 2 {
        return Err(CorruptInput(*at - 1));
    }
    if found == 2 {
        skip_line_breaks(text, at);
        match text.get(*at) {
            None => return Err(CorruptInput(text.len())),
            Some(b'=') => *at += 1,
            Some(_) => return Err(CorruptInput(*at - 1)),
        }
    }
    skip_line_breaks(text, at);
    if *at < text.len() { Err(CorruptInput(*at)) } else { Ok(found) }
}

fn skip_line_breaks(text: &[u8], at: &mut usize) {
    while text.get(*at).copied().is_some_and(is_line_break) {
        *at += 1;
    }
}

fn is_line_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

fn value(encoding: Encoding, byte: u8) -> Option<u8> {
    match (byte, encoding) {
        (b'A'..=b'Z', _) => Some(byte - b'A'),
        (b'a'..=b'z', _) => Some(byte - b'a' + 26),
        (b'0'..=b'9', _) => Some(byte - b'0' + 52),
        (b'+', Encoding::Standard) | (b'-', Encoding::RawUrl) => Some(62),
        (b'/', Encoding::Standard) | (b'_', Encoding::RawUrl) => Some(63),
        _ => None,
    }
}
