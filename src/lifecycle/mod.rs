//! The life of a key, decided purely: what a resource wants × what is seen × the time → the next step, and the status.
//!
//! Nothing here owns a client, reads a clock or makes a random number. The shell asks [`next`], carries the step out, folds the answer into
//! [`Observed`] and asks again until there is no step; then [`status`] says what is true.

pub mod access;
mod admin_api;
mod adoption;
mod ahead;
mod announce;
mod answer;
mod assess;
pub mod claim;
mod deletion;
mod desired;
mod due;
mod findings;
mod forget;
mod generated;
mod imported;
pub mod kid;
mod late;
mod limitation;
pub mod limits;
mod look;
mod mode;
mod names;
mod notice;
mod observed;
mod outcome;
mod pattern;
mod plan;
mod progress;
mod publication;
mod rank;
mod recognise;
mod record;
mod recover;
mod refusal;
mod retire;
mod revoke;
mod rotate;
mod server;
mod signer;
mod source;
mod spec_refusal;
mod staged;
mod status;
mod step;
mod supply;
mod timing;
mod transition;
mod urgency;
mod vanished;

pub use admin_api::{Finding, admin_api_status, finalizers, is_user};
pub use adoption::{Adoption, adoption};
pub use answer::Answer;
pub use assess::{Assessment, assess};
pub use deletion::leaves_remote_alone;
pub use desired::{Desired, Entry, Source, validate};
pub use findings::{Severity, Trouble};
pub use kid::staged_set;
pub use names::{is_set_id, set_id};
pub use notice::{Notice, add_notice, notice};
pub use observed::Observed;
pub use outcome::{Failure, Outcome};
pub use plan::{next, next_publication, wake};
pub use progress::{Pace, Progress};
pub use publication::{
    Document, Granting, HeldTarget, Local, LocalStep, PrivateKeys, Repair, SealedDocument, Target, TargetContent, TargetFailure, TargetId,
    TargetState, TargetStep, Wanted, next_by_record, repair, without_keys,
};
pub use record::{DEFAULT_RETAIN, KeyRecord, Record};
pub use source::{SecretContent, SourceKey, SourceState, read_source};
pub use spec_refusal::Refusal;
pub use status::{Sight, refused, status, unconnected, unparsable, without_values};
pub use step::{CreateCause, DeleteCause, Place, PutCause, RefusedWrite, Step};
pub use timing::{RotateAt, Timing};
pub use transition::{Transition, transition, trouble};
pub use urgency::{Urgency, is_fresh_and_generates, urgency};
