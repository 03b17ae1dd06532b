//! The operator as a process, on a real control plane, with the service account and the permissions of deploy/rbac.

mod access;
mod alerts;
mod attacks;
mod authentication;
mod availability;
mod chart;
mod collector;
mod control_plane;
mod counts;
mod crash;
mod crds;
mod credentials;
mod deletion;
mod fairness;
mod gitops;
mod histories;
mod idle;
mod image;
mod import;
mod manifests;
mod metrics;
mod misbehaviour;
mod name_server;
mod namespaces;
mod operator;
mod outage;
mod publication;
mod refusals;
mod released;
mod rotation;
mod secrecy;
mod sharding;
mod traces;
mod unparsable;
mod wait;

pub use control_plane::tool;
