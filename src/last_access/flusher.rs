//! The worker that writes recorded accesses to the store.

use std::collections::HashSet;
use std::convert::Infallible;
use std::time::Duration;

use super::queue::{DueAccess, Round};
use super::recorder::LastAccess;
use crate::store::{StoreError, Unwritten};

/// Touches in one call of the store. After a failure, the rest of a call waits for the next round.
const TOUCHES_PER_WRITE: usize = 1024;
/// The pause between two probes of a store that was away. Other nodes wait for the renewals earned meanwhile.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

impl LastAccess {
    /// The worker: flushes in rounds, and at once when it is woken. Ends with its runtime.
    pub async fn run(self) -> Infallible {
        let round = Duration::from_millis(self.0.flush_interval_ms);
        loop {
            // Both outcomes start a round: the timeout is the period, the notification an urgent renewal.
            let _ = tokio::time::timeout(round, self.0.wake.notified()).await;
            while self.flush().await.is_err() {
                self.store_is_back(round).await;
            }
        }
    }

    /// Returns as soon as the store can be asked, and after a round in any case: one of several servers may be there.
    async fn store_is_back(&self, round: Duration) {
        let is_back = async {
            loop {
                tokio::time::sleep(RETRY_PAUSE).await;
                if self.0.store.probe().await.is_ok() {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(round.max(RETRY_PAUSE), is_back).await;
    }

    /// Writes all accesses that are due.
    ///
    /// # Errors
    /// The store could not be asked. Accesses that it did not take stay in the queue.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.0.flushing.lock().await;
        let mut outcome = Ok(());
        let Round { due, oldest_ms, oldest_left_ms } = self.0.queue.take_due(self.0.clock.boottime_ms());
        self.0.oldest.set(oldest_ms);
        for (done, chunk) in due.chunks(TOUCHES_PER_WRITE).enumerate() {
            let touches: Vec<_> = chunk.iter().map(DueAccess::touch).collect();
            match self.0.store.touch(&touches, self.0.clock.now_ms()).await {
                Ok(()) => {
                    self.0.counters.flushed.inc_by(touches.len() as u64);
                    chunk.iter().for_each(|due| self.0.queue.mark_written(due));
                }
                Err(Unwritten { places, error }) => {
                    self.0.counters.failed_writes.inc();
                    let are_lost = matches!(error, StoreError::Corrupt { .. });
                    self.log_failure(&error, are_lost, due.len());
                    if places.len() == chunk.len() {
                        // The store is away: the other chunks would fail, too.
                        let rest = &due[done * TOUCHES_PER_WRITE..];
                        rest.iter().for_each(|due| self.0.queue.put_back(due));
                        return Err(error);
                    }
                    let unwritten: HashSet<_> = places.into_iter().collect();
                    for (place, due) in chunk.iter().enumerate() {
                        match unwritten.contains(&place) {
                            true => self.0.queue.put_back(due),
                            false => self.0.queue.mark_written(due),
                        }
                    }
                    if !are_lost {
                        self.0.counters.flushed.inc_by((chunk.len() - unwritten.len()) as u64);
                        outcome = Err(error);
                    }
                }
            }
        }
        if outcome.is_ok() {
            self.0.oldest.set(oldest_left_ms);
        }
        outcome
    }

    fn log_failure(&self, error: &StoreError, are_lost: bool, waiting: usize) {
        let Some(repeat) = self.0.faults.due(self.0.clock.boottime_ms()) else { return };
        let suppressed = repeat.suppressed;
        match are_lost {
            true => tracing::error!(%error, suppressed, "last accesses given up"),
            false => tracing::warn!(%error, waiting, suppressed, "last accesses not written"),
        }
    }
}
