//! What is watched, what of it is kept, and which resources it wakes.

pub(super) mod controllers;
mod events;
mod filter;
pub(super) mod index;
pub(super) mod merged;
pub(super) mod metadata;
pub(super) mod stores;
mod triggers;
pub(super) mod wakes;
