//! The life of a key against a model of the world, in which the remote set is the emulator's own store.

mod alone;
mod cases;
mod entries;
mod events;
mod fixes;
mod forged;
mod forms;
mod happen;
mod histories;
mod hydras_own;
mod imports;
pub(crate) mod oracle;
mod outages;
mod passes;
mod passes_alone;
mod publication;
mod refusals;
mod revocation;
mod rotation;
mod secrecy;
mod servers;
mod shown;
mod staged;
mod steps;
mod world;
