//! The life of a key against a model of the world, in which the remote set is the emulator's own store.

mod cases;
mod entries;
mod events;
mod histories;
pub(crate) mod oracle;
mod rotation;
mod staging;
mod steps;
mod world;
