//! Text from outside, as it may stand in a line.

use std::borrow::Cow;

/// The text with everything escaped that could begin a line of its own, move the cursor or turn the direction of reading. Kids come from
/// whoever may write a set, and the words of errors from anybody: neither may look like something that the operator says.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_unsafe(character) { escaped.extend(character.escape_default()) } else { escaped.push(character) }
    }
    Cow::Owned(escaped)
}

/// Control characters, line and paragraph separators, and what turns the direction of text (Unicode UAX #9).
fn is_unsafe(character: char) -> bool {
    let turns = matches!(character, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    character.is_control() || turns || matches!(character, '\u{2028}' | '\u{2029}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn what_could_forge_a_line_is_escaped_and_the_rest_stays() {
        assert_eq!(escaped("kid a\nERROR b\r\t\u{1b}[2J\u{202E}x\u{2028}y\u{85}"), r"kid a\nERROR b\r\t\u{1b}[2J\u{202e}x\u{2028}y\u{85}");
        for plain in ["", "set shop.payments is as planned", r"a \n that was escaped before", "schlüssel 鍵 ключ"] {
            assert_eq!(escaped(plain), plain);
        }
    }
}
