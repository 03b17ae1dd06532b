//! What people read: the status and its conditions, events, and what changed for the worse.

pub(super) mod admin_api_status;
pub(super) mod notice;
pub(super) mod outcome;
pub(super) mod status;
pub(super) mod transition;
