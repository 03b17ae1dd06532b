//! The life of a key, decided purely: what a resource wants × what is seen × the time → the next step, and the status.
//!
//! Nothing here owns a client, reads a clock or makes a random number. The shell asks [`next`], carries the step out, folds the answer into
//! [`Observed`] and asks again until there is no step; then [`status`] says what is true.

pub mod access;
pub mod claim;
mod deletion;
mod desired;
pub mod kid;
mod notice;
mod observed;
mod plan;
mod publish;
mod record;
mod retire;
mod status;
mod step;
mod supply;
mod target;

pub use deletion::leaves_remote_alone;
pub use desired::{Desired, Entry, Refusal, Source, Target, set_id, validate};
pub use notice::{Notice, add_notice, notice};
pub use observed::Observed;
pub use plan::{Assessment, Severity, Trouble, assess, next, next_publication, wake};
pub use record::{DEFAULT_RETAIN, KeyRecord, Record};
pub use status::{Failure, Outcome, refused, status, unconnected, unparsable, without_values};
pub use step::{CreateCause, DeleteCause, PutCause, Step};
pub use target::{HeldTarget, TargetContent, TargetId, TargetState};
