//! The time and the actor of a store operation.

use crate::model::event::Actor;
use crate::model::idempotency::RequestName;
#[cfg(feature = "redis")]
use crate::store::acknowledgement::Acknowledgement;

/// The time of an operation, and who asked for it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The time by the caller's clock.
    pub now_ms: u64,
    /// The actor, for the events.
    pub actor: Actor<'a>,
    /// The name of a request that is done once, if it has one. Issues, rotations of tokens and new device keys heed it.
    pub once: Option<RequestName>,
    /// Nobody waits for it: work that Doorward does by itself.
    pub is_background: bool,
    /// What its changes must meet before they are acknowledged; `None` if nobody is told of them.
    #[cfg(feature = "redis")]
    pub(crate) acknowledgement: Option<&'a Acknowledgement>,
}

impl<'a> Call<'a> {
    /// Makes a call at this time by this actor.
    pub fn new(now_ms: u64, actor: Actor<'a>) -> Self {
        Self {
            now_ms,
            actor,
            once: None,
            is_background: false,
            #[cfg(feature = "redis")]
            acknowledgement: None,
        }
    }
}

/// A call by Doorward itself.
impl From<u64> for Call<'_> {
    fn from(now_ms: u64) -> Self {
        Self { is_background: true, ..Self::new(now_ms, Actor::Doorward) }
    }
}
