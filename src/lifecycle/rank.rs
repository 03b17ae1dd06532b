//! The order in which steps are taken.

/// The order of steps; among equals their order of discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Take revoked keys away, out of the set and out of targets.
    Revoke,
    /// Fill the gap in a set in which no private key may sign.
    Emergency,
    /// Put the signer back in front.
    Signer,
    /// Make what is missing.
    Create,
    /// Take away the revoked key in whose place another has just been put.
    RevokeReplaced,
    /// Store public keys.
    Store,
    /// Write targets.
    Publish,
    /// Let a key sign that was announced for long enough.
    Activate,
    /// Take private halves out of the set, put back what vanished.
    Retire,
    /// Empty the staged set of what waits for nothing.
    Clear,
    /// Remove what nobody needs any more.
    Remove,
}
