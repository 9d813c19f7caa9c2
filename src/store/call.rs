//! The time and the actor of a store operation.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::event::Actor;
use crate::model::idempotency::RequestName;
use crate::store::error::StoreError;

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

/// Collects, while an operation runs, what must hold when its changes are acknowledged.
#[derive(Debug, Default)]
pub struct Acknowledgement {
    /// Whether the data that each script has changed is still what this node serves from.
    served: Mutex<Vec<Arc<AtomicBool>>>,
    is_short: AtomicBool,
}

impl Acknowledgement {
    /// Records that a script has changed data. `is_served` becomes false when this node gives that data up.
    pub(crate) fn changed(&self, is_served: Arc<AtomicBool>) {
        self.served.lock().unwrap_or_else(PoisonError::into_inner).push(is_served);
    }

    /// Records that too few copies of a change were acknowledged in time.
    pub(crate) fn fell_short(&self) {
        self.is_short.store(true, Ordering::SeqCst);
    }

    /// Decides whether the changes may be acknowledged. Call it after they are remembered: if the data is still served now,
    /// any merge into other data begins later, and finds them.
    ///
    /// # Errors
    /// `Unavailable` if another server has taken over meanwhile, `NotDurable`.
    pub(crate) fn decide(&self) -> Result<(), StoreError> {
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        if !served.iter().all(|is_served| is_served.load(Ordering::SeqCst)) {
            return Err(StoreError::Unavailable("the server has other data by now".into()));
        }
        match self.is_short.load(Ordering::SeqCst) {
            true => Err(StoreError::NotDurable),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_acknowledged_while_its_data_is_served_and_durable() {
        let acknowledgement = Acknowledgement::default();
        let served = [true, true].map(|is_served| Arc::new(AtomicBool::new(is_served)));
        served.iter().for_each(|is_served| acknowledgement.changed(is_served.clone()));
        assert!(acknowledgement.decide().is_ok());
        acknowledgement.fell_short();
        assert!(matches!(acknowledgement.decide(), Err(StoreError::NotDurable)));
        served[1].store(false, Ordering::SeqCst);
        assert!(matches!(acknowledgement.decide(), Err(StoreError::Unavailable(_))));
    }
}
