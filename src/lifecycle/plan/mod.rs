//! From what the phases find to the next step: `assess.rs` puts everything together, `next.rs` takes the first that may be done now.

pub(super) mod ahead;
pub(super) mod assess;
mod forget;
mod late;
mod limitation;
mod mode;
pub(super) mod next;
pub(super) mod progress;
