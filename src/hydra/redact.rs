//! Words of a server, made fit for a log.

/// How much of a server's words is kept.
const LONGEST: usize = 200;
/// A run of this many characters of base64url may be key material or a token.
const SUSPICIOUS_RUN: usize = 20;

/// One line of at most 200 characters without anything that could be a secret.
pub(super) fn redact(words: &str) -> String {
    let mut redacted = String::new();
    let mut run = String::new();
    for character in words.chars().chain(std::iter::once('\n')) {
        if character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '+' | '/' | '=') {
            run.push(character);
            continue;
        }
        if run.len() >= SUSPICIOUS_RUN {
            redacted.push_str("[redacted]");
        } else {
            redacted.push_str(&run);
        }
        run.clear();
        redacted.push(if character.is_control() { ' ' } else { character });
        if redacted.len() > LONGEST {
            return redacted.chars().take(LONGEST).chain(['…']).collect();
        }
    }
    redacted.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn secrets_and_line_breaks_go() {
        assert_eq!(redact("token ory_pat_AbCdEfGhIjKlMnOp is\r\nbad"), "token [redacted] is  bad");
        assert_eq!(redact("Unable to locate the resource"), "Unable to locate the resource");
        assert!(redact(&"a b ".repeat(500)).chars().count() <= 201);
        assert_eq!(redact(&"a".repeat(5000)), "[redacted]");
    }
}
