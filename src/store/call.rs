//! The time and the actor of a store operation.

use crate::model::event::Actor;

/// When an operation happens, and who wants it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The caller's clock.
    pub now_ms: u64,
    /// For the events.
    pub actor: Actor<'a>,
}

/// By Doorward itself, at this time.
impl From<u64> for Call<'_> {
    fn from(now_ms: u64) -> Self {
        Self { now_ms, actor: Actor::Doorward }
    }
}
