//! What the API server answers when it does not do what was asked.

use kube::core::Status;

/// How many characters of what the API server says are repeated.
const LONGEST_WORDS: usize = 400;

/// What the API server answered, as the end of a sentence: its words, which are no secret of a remote set, and the kind of the answer.
pub(super) fn words(status: &Status) -> String {
    let kind = format!("({} {})", status.code, status.reason);
    let mut words: String = status.message.chars().take(LONGEST_WORDS).collect();
    if words.len() < status.message.len() {
        words.push('\u{2026}');
    }
    if words.is_empty() { format!(" {kind}") } else { format!(": {words} {kind}") }
}

/// Whether the API server refuses a request as it is: a quota, a policy, a name or a size is in the way, and somebody has to act.
pub(super) fn is_refusal(status: &Status) -> bool {
    matches!(status.code, 400 | 403 | 413 | 422)
}
