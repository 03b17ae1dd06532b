//! The text of a document, and what a document is that holds no key which can be read.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use der::{AnyRef, Decode as _, Reader as _, SliceReader, Tag, Tagged as _};
use zeroize::Zeroizing;

use super::ImportError;

/// The mark that some editors write before UTF-8 (RFC 8259 section 8.1).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// How a Java keystore begins, in its own form and in that of the Java Cryptography Extension.
const JAVA_KEYSTORES: [[u8; 4]; 2] = [[0xfe, 0xed, 0xfe, 0xed], [0xce, 0xce, 0xce, 0xce]];
/// How a PEM section begins.
pub(super) const BEGIN: &str = "-----BEGIN ";

/// The document as text, without what editors and shells put before it.
pub(super) fn of(document: &[u8]) -> Result<Zeroizing<String>, ImportError> {
    let document = document.strip_prefix(BYTE_ORDER_MARK).unwrap_or(document);
    if is_utf_16(document) {
        return Err(ImportError::Utf16);
    }
    match std::str::from_utf8(document) {
        Ok(text) if !text.contains('\0') => Ok(Zeroizing::new(text.to_owned())),
        // A note beside PEM may be in another encoding.
        _ if !document.contains(&0) && has_section(document) => Ok(Zeroizing::new(String::from_utf8_lossy(document).into_owned())),
        _ => Err(binary(document)),
    }
}

fn has_section(document: &[u8]) -> bool {
    document.windows(BEGIN.len()).any(|window| window == BEGIN.as_bytes())
}

/// UTF-16 has a mark, or every other octet of a text in Latin letters is zero.
fn is_utf_16(document: &[u8]) -> bool {
    let is_marked = document.starts_with(&[0xff, 0xfe]) || document.starts_with(&[0xfe, 0xff]);
    let halves =
        |first: usize| document.chunks_exact(2).take(16).all(|pair| pair[first] == 0 && pair[1 - first].is_ascii() && pair[1 - first] != 0);
    is_marked || (document.len() >= 4 && (halves(0) || halves(1)))
}

/// Why a document that is no text cannot be read.
fn binary(document: &[u8]) -> ImportError {
    if JAVA_KEYSTORES.iter().any(|magic| document.starts_with(magic)) {
        return ImportError::JavaKeystore;
    }
    match form(document) {
        Some(Form::Keystore) => ImportError::Keystore,
        Some(Form::Certificate) => ImportError::BinaryCertificate,
        _ => ImportError::Binary,
    }
}

/// Why a text that is neither JSON nor PEM cannot be read.
pub(super) fn unknown(text: &str) -> ImportError {
    if text.starts_with("PuTTY-User-Key-File-") {
        return ImportError::PuttyKey;
    }
    if (text.starts_with("//") || text.starts_with("/*") || text.starts_with('#')) && text.contains('{') {
        return ImportError::Comment { line: 1 };
    }
    let mut joined = Zeroizing::new(String::with_capacity(text.len()));
    joined.extend(text.split_whitespace());
    let text = joined;
    let Some(bytes) = decoded(&text) else { return ImportError::UnknownForm };
    let bytes: &[u8] = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
    let begins_with = |start: &[u8]| bytes.trim_ascii_start().starts_with(start);
    if has_section(bytes) {
        return ImportError::EncodedTwice { what: "PEM" };
    }
    if begins_with(b"{") || begins_with(b"[") {
        return ImportError::EncodedTwice { what: "JSON" };
    }
    match form(bytes) {
        Some(Form::Keystore) => ImportError::EncodedTwice { what: "a PKCS#12 keystore" },
        Some(form) => ImportError::MissingArmour { label: form.label() },
        None => ImportError::UnknownForm,
    }
}

/// Base64 in either alphabet, with padding or without.
fn decoded(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let text = text.trim_end_matches('=');
    let decoded = STANDARD_NO_PAD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text)).ok();
    decoded.filter(|_| text.len() >= 16).map(Zeroizing::new)
}

/// What a DER value is, by its first parts.
enum Form {
    Pkcs8,
    Encrypted,
    Pkcs1,
    Sec1,
    Public,
    Certificate,
    Keystore,
}

impl Form {
    /// The label of its PEM section (RFC 7468).
    fn label(&self) -> &'static str {
        match self {
            Self::Pkcs8 => "PRIVATE KEY",
            Self::Encrypted => "ENCRYPTED PRIVATE KEY",
            Self::Pkcs1 => "RSA PRIVATE KEY",
            Self::Sec1 => "EC PRIVATE KEY",
            Self::Public => "PUBLIC KEY",
            Self::Certificate | Self::Keystore => "CERTIFICATE",
        }
    }
}

fn form(document: &[u8]) -> Option<Form> {
    let outer = SliceReader::new(document).ok()?.tlv_bytes().and_then(AnyRef::from_der).ok().filter(|any| any.tag() == Tag::Sequence)?;
    let mut reader = SliceReader::new(outer.value()).ok()?;
    let (first, second) = (AnyRef::decode(&mut reader).ok()?, AnyRef::decode(&mut reader).ok()?);
    let third = AnyRef::decode(&mut reader).ok().map(|any| any.tag());
    Some(match (first.tag(), second.tag(), third) {
        (Tag::Integer, Tag::Sequence, _) if first.value() == [3] => Form::Keystore,
        (Tag::Integer, Tag::Sequence, Some(Tag::OctetString)) => Form::Pkcs8,
        (Tag::Integer, Tag::Integer, Some(Tag::Integer)) => Form::Pkcs1,
        (Tag::Integer, Tag::OctetString, _) => Form::Sec1,
        (Tag::Sequence, Tag::BitString, _) => Form::Public,
        (Tag::Sequence, Tag::Sequence, Some(Tag::BitString)) => Form::Certificate,
        (Tag::Sequence, Tag::OctetString, _) => Form::Encrypted,
        _ => return None,
    })
}

/// Whether the text is a public key as OpenSSH writes it (RFC 4253 section 6.6).
pub(super) fn is_ssh_public_key(text: &str) -> bool {
    text.starts_with("ssh-") || text.starts_with("ecdsa-sha2-") || text.starts_with("sk-")
}

/// The lines of all PEM sections, each of the form that RFC 7468 section 3 calls strict but for the length of a line: what a form, an environment
/// variable or an editor made of the line breaks is undone, and what stands between the sections is left out.
pub(super) fn sections(text: &str) -> Zeroizing<String> {
    let mut sections = Zeroizing::new(String::with_capacity(2 * text.len() + BEGIN.len()));
    let mut rest = text;
    while let Some((_, opened)) = rest.split_once(BEGIN) {
        let Some((label, body)) = opened.split_once("-----") else { break };
        let end = Zeroizing::new(format!("-----END {label}-----"));
        let Some((body, after)) = body.split_once(end.as_str()) else { break };
        for part in [BEGIN, label, "-----\n"] {
            sections.push_str(part);
        }
        push_lines(&mut sections, body);
        sections.push_str(&end);
        sections.push('\n');
        rest = after;
    }
    // What is no section is for the reader of PEM to refuse.
    if rest.contains(BEGIN) {
        sections.push_str(rest);
    }
    sections
}

fn push_lines(sections: &mut String, body: &str) {
    // Headers (RFC 1421) say that the section is encrypted: it stays as it is.
    if body.contains(':') {
        sections.push_str(body.trim_start_matches(['\r', '\n']));
        return;
    }
    // The two characters \n of a quoted text stand for a line break; no base64 has a backslash.
    let plain = Zeroizing::new(body.replace("\\r", "\n"));
    let plain = Zeroizing::new(plain.replace("\\n", "\n"));
    for line in plain.split_whitespace() {
        sections.push_str(line);
        sections.push('\n');
    }
}
