//! What wakes a resource besides its watches: one part of the operator found something out that another has to know.

use futures::channel::mpsc::{self, UnboundedReceiver, UnboundedSender};
use kube::runtime::reflector::ObjectRef;

use super::{departed::Noticed, stores::Watched};

/// The sending ends, for whoever finds something out.
pub(super) struct Senders {
    /// The AdminApi of this name has another connection, or none any more.
    pub(super) connected: UnboundedSender<String>,
    /// A call to the AdminApi of this name failed.
    pub(super) suspected: UnboundedSender<String>,
    /// A resource that is gone in spite of its finalizer.
    pub(super) departed: UnboundedSender<Noticed>,
    /// A resource whose wait for a turn is over.
    pub(super) admitted: UnboundedSender<ObjectRef<Watched>>,
    /// What the watches find out.
    pub(super) watched: Signals,
}

/// What the watches find out.
#[derive(Clone)]
pub(super) struct Signals {
    /// A resource that is gone, so that its set may become another's.
    pub(super) freed: UnboundedSender<Watched>,
    /// The AdminApi of this name is used by more or fewer resources.
    pub(super) used: UnboundedSender<String>,
}

/// The receiving ends, in the order of [`Senders`].
pub(super) struct Wakes {
    pub(super) connected: UnboundedReceiver<String>,
    pub(super) suspected: UnboundedReceiver<String>,
    pub(super) departed: UnboundedReceiver<Noticed>,
    pub(super) admitted: UnboundedReceiver<ObjectRef<Watched>>,
    pub(super) freed: UnboundedReceiver<Watched>,
    pub(super) used: UnboundedReceiver<String>,
}

/// Both ends.
pub(super) fn channels() -> (Senders, Wakes) {
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
