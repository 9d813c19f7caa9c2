//! The time and the actor of a store operation.

use crate::model::event::Actor;
use crate::model::idempotency::RequestName;

/// The time of an operation, and who asked for it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The time by the caller's clock.
    pub now_ms: u64,
    /// The actor, for the events.
    pub actor: Actor<'a>,
    /// The name of a request that is done once, if it has one. Issues, rotations of tokens and new device keys heed it.
    pub once: Option<RequestName>,
}

/// A call by Doorward itself.
impl From<u64> for Call<'_> {
    fn from(now_ms: u64) -> Self {
        Self { now_ms, actor: Actor::Doorward, once: None }
    }
}
