//! What wakes a resource besides its watches: one part of the operator found something out that another has to know.

use futures::channel::mpsc::{self, UnboundedReceiver, UnboundedSender};
use kube::runtime::reflector::ObjectRef;

use super::stores::Watched;
use crate::operator::key_set::departed::Noticed;

/// The sending ends, for whoever finds something out.
pub(in crate::operator) struct Senders {
    /// The AdminApi of this name has another connection, or none any more.
    pub(in crate::operator) connected: UnboundedSender<String>,
    /// A call to the AdminApi of this name failed.
    pub(in crate::operator) suspected: UnboundedSender<String>,
    /// A resource that is gone in spite of its finalizer.
    pub(in crate::operator) departed: UnboundedSender<Noticed>,
    /// A resource whose wait for a turn is over.
    pub(in crate::operator) admitted: UnboundedSender<ObjectRef<Watched>>,
    /// What the watches find out.
    pub(in crate::operator) watched: Signals,
}

/// What the watches find out.
#[derive(Clone)]
pub(in crate::operator) struct Signals {
    /// A resource that is gone, so that its set may become another's.
    pub(in crate::operator) freed: UnboundedSender<Watched>,
    /// The AdminApi of this name is used by more or fewer resources.
    pub(in crate::operator) used: UnboundedSender<String>,
}

/// The receiving ends, in the order of [`Senders`].
pub(in crate::operator) struct Wakes {
    pub(in crate::operator) connected: UnboundedReceiver<String>,
    pub(in crate::operator) suspected: UnboundedReceiver<String>,
    pub(in crate::operator) departed: UnboundedReceiver<Noticed>,
    pub(in crate::operator) admitted: UnboundedReceiver<ObjectRef<Watched>>,
    pub(in crate::operator) freed: UnboundedReceiver<Watched>,
    pub(in crate::operator) used: UnboundedReceiver<String>,
}

/// Both ends.
pub(in crate::operator) fn channels() -> (Senders, Wakes) {
    let (connected, connections) = mpsc::unbounded();
    let (suspected, suspects) = mpsc::unbounded();
    let (departed, departures) = mpsc::unbounded();
    let (admitted, admissions) = mpsc::unbounded();
    let (freed, freed_sets) = mpsc::unbounded();
    let (used, users) = mpsc::unbounded();
    let wakes =
        Wakes { connected: connections, suspected: suspects, departed: departures, admitted: admissions, freed: freed_sets, used: users };
    (Senders { connected, suspected, departed, admitted, watched: Signals { freed, used } }, wakes)
}
