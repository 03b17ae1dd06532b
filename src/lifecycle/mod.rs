//! The life of a key, decided purely: what a resource wants × what is seen × the time → the next step, and the status.
//!
//! Nothing here owns a client, reads a clock or makes a random number. The shell asks [`next`], carries the step out, folds the answer into
//! [`Observed`] and asks again until there is no step; then [`status`] says what is true.

mod adoption;
mod answer;
mod deletion;
mod entry_name;
mod findings;
pub mod kid;
mod observed;
mod plan;
mod publication;
mod rank;
mod record;
mod remote;
mod report;
mod set_id;
pub mod spec;
mod step;
mod uid;
mod urgency;

pub use adoption::{Adoption, adoption};
pub use answer::Answer;
pub use deletion::leaves_remote_alone;
pub use entry_name::EntryName;
pub use findings::{Severity, Trouble};
pub use observed::Observed;
pub use plan::assess::{Assessment, assess};
pub use plan::next::{next, next_publication, wake};
pub use plan::progress::{Pace, Progress};
pub use publication::{
    Document, Granting, HeldTarget, Local, LocalStep, PrivateKeys, Repair, SealedDocument, Target, TargetContent, TargetFailure, TargetId,
    TargetState, TargetStep, Wanted, next_by_record, repair, without_keys,
};
pub use record::{DEFAULT_RETAIN, KeyRecord, Record};
pub use report::admin_api_status::{AdminApiFinding, admin_api_status, finalizers, is_user};
pub use report::notice::{Notice, add_notice, notice};
pub use report::outcome::{Failure, Outcome};
pub use report::status::{Sight, refused, status, unconnected, unparsable, without_values};
pub use report::transition::{Transition, transition, trouble};
pub use set_id::SetId;
pub use spec::desired::{Desired, validate};
pub use spec::entry::{Entry, InvalidEntry, Source};
pub use spec::names::{is_set_id, set_id};
pub use spec::refusal::SpecRefusal;
pub use spec::source::{SecretContent, SourceKey, SourceState, read_source};
pub use spec::timing::{RotateAt, Timing};
pub use step::{CreateCause, DeleteCause, Place, PutCause, RefusedWrite, Step};
pub use uid::Uid;
pub use urgency::{Urgency, is_fresh_and_generates, urgency};
