//! DER, read piece by piece as Go's `cryptobyte.String` reads it: what is asked for is there or it is not, and what follows it is not looked at.

/// What is left to read.
#[derive(Clone, Copy)]
pub(super) struct Input<'a>(pub(super) &'a [u8]);

/// The tags that certificates are made of.
pub(super) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;
    /// Added to the number of a tag that a structure gives a meaning of its own.
    pub(crate) const CONTEXT: u8 = 0x80;
    /// The same, with other elements inside.
    pub(crate) const CONTEXT_CONSTRUCTED: u8 = 0xa0;
}

impl<'a> Input<'a> {
    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Whether the next element has this tag.
    pub(super) fn is_next(self, tag: u8) -> bool {
        self.0.first() == Some(&tag)
    }

    /// The tag of the next element, all of it, and what is in it.
    pub(super) fn any(&mut self) -> Option<(u8, &'a [u8], Self)> {
        let (&tag, &first) = (self.0.first()?, self.0.get(1)?);
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (header, length) = if first < 0x80 { (2, usize::from(first)) } else { long_length(self.0, first)? };
        let element = self.0.get(..header.checked_add(length)?)?;
        self.0 = &self.0[element.len()..];
        Some((tag, element, Self(&element[header..])))
    }

    /// What is in the next element, which must have this tag.
    pub(super) fn read(&mut self, tag: u8) -> Option<Self> {
        self.element(tag).map(|(_, content)| content)
    }

    /// The next element, which must have this tag: all of it, and what is in it.
    pub(super) fn element(&mut self, tag: u8) -> Option<(&'a [u8], Self)> {
        let mut rest = *self;
        let (found, element, content) = rest.any()?;
        if found != tag {
            return None;
        }
        *self = rest;
        Some((element, content))
    }

    /// As [`Input::read`] if the next element has this tag, `Some(None)` if it has another or there is none.
    pub(super) fn optional(&mut self, tag: u8) -> Option<Option<Self>> {
        if self.is_next(tag) { self.read(tag).map(Some) } else { Some(None) }
    }

    /// An INTEGER in as few bytes as it needs, two's complement.
    pub(super) fn integer(&mut self) -> Option<&'a [u8]> {
        self.integer_of(tag::INTEGER)
    }

    /// The same with another tag.
    pub(super) fn integer_of(&mut self, tag: u8) -> Option<&'a [u8]> {
        let bytes = self.read(tag)?.0;
        match bytes {
            [] | [0x00, 0x00..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => None,
            _ => Some(bytes),
        }
    }

    /// An INTEGER that fits into 64 bits.
    pub(super) fn small_integer(&mut self) -> Option<i64> {
        to_i64(self.integer()?)
    }

    /// A BIT STRING: its bytes, and how many bits of the last one are not used, all of which are zero.
    pub(super) fn bit_string(&mut self) -> Option<(&'a [u8], u8)> {
        let (&unused, bytes) = self.read(tag::BIT_STRING)?.0.split_first()?;
        let are_zero = match bytes.last() {
            None => unused == 0,
            Some(last) => unused <= 7 && last & ((1 << unused) - 1) == 0,
        };
        are_zero.then_some((bytes, unused))
    }

    /// A BOOLEAN.
    pub(super) fn boolean(&mut self) -> Option<bool> {
        match self.read(tag::BOOLEAN)?.0 {
            [0x00] => Some(false),
            [0xff] => Some(true),
            _ => None,
        }
    }

    /// An OBJECT IDENTIFIER whose numbers fit into 31 bits: its bytes.
    pub(super) fn identifier(&mut self) -> Option<&'a [u8]> {
        let bytes = self.read(tag::OBJECT_IDENTIFIER)?.0;
        if bytes.is_empty() || bytes.last().is_some_and(|last| last & 0x80 != 0) {
            return None;
        }
        let are_small = bytes.split_inclusive(|byte| byte & 0x80 == 0).all(|number| match number {
            [0x80, ..] => false,
            [first, _, _, _, _] => *first <= 0x87,
            _ => number.len() < 5,
        });
        are_small.then_some(bytes)
    }
}

/// An INTEGER that fits into 64 bits.
pub(super) fn to_i64(bytes: &[u8]) -> Option<i64> {
    let sign = if bytes.first()? & 0x80 == 0 { 0x00 } else { 0xff };
    let mut wide = [sign; 8];
    wide.get_mut(8_usize.checked_sub(bytes.len())?..)?.copy_from_slice(bytes);
    Some(i64::from_be_bytes(wide))
}

/// The length of the header, and the length that it tells in up to four bytes, none of which could be left out.
fn long_length(bytes: &[u8], first: u8) -> Option<(usize, usize)> {
    let count = usize::from(first & 0x7f);
    if !(1..=4).contains(&count) {
        return None;
    }
    let told = bytes.get(2..2 + count)?;
    let length = told.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    (told[0] != 0 && length >= 128).then_some((2 + count, length))
}
