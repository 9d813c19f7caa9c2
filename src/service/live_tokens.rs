//! The number of live tokens, sampled at most once in some seconds, however often it is asked for.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::store::live_tokens::LiveTokens;
use crate::store::{Store, StoreError};

/// A sample is not repeated for this long, nor is a failed one.
const RESAMPLED_AFTER_MS: u64 = 10_000;

/// Samples the number of live tokens, and keeps the last sample.
pub struct LiveTokenSampler {
    store: Store,
    clock: Clock,
    /// Held while a sample is taken: the others wait for it.
    sampling: Mutex<()>,
    last: ArcSwapOption<Sample>,
}

struct Sample {
    taken_at_ms: u64,
    outcome: Result<LiveTokens, StoreError>,
}

impl LiveTokenSampler {
    /// A sampler of this store.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, sampling: Mutex::default(), last: ArcSwapOption::empty() }
    }

    /// Returns the last sample, or takes one if the last is older than ten seconds.
    ///
    /// # Errors
    /// `Unavailable`, `Unusable`.
    pub async fn live_tokens(&self) -> Result<LiveTokens, StoreError> {
        if let Some(sample) = self.recent(RESAMPLED_AFTER_MS) {
            return sample.outcome.clone();
        }
        let _sampling = self.sampling.lock().await;
        // Another caller may have taken it meanwhile.
        if let Some(sample) = self.recent(RESAMPLED_AFTER_MS) {
            return sample.outcome.clone();
        }
        let outcome = self.store.sample_live_tokens(self.clock.now_ms()).await;
        let taken_at_ms = self.clock.boottime_ms();
        self.last.store(Some(Arc::new(Sample { taken_at_ms, outcome: outcome.clone() })));
        outcome
    }

    /// Whether the next call takes a sample. False while one is being taken, so that no callers queue up for it.
    pub fn is_due(&self) -> bool {
        self.recent(RESAMPLED_AFTER_MS).is_none() && self.sampling.try_lock().is_ok()
    }

    /// Returns the last sample, if it succeeded and is not older than this.
    pub fn last(&self, max_age_ms: u64) -> Option<LiveTokens> {
        self.recent(max_age_ms)?.outcome.clone().ok()
    }

    fn recent(&self, max_age_ms: u64) -> Option<Arc<Sample>> {
        let last = self.last.load_full()?;
        (self.clock.boottime_ms().saturating_sub(last.taken_at_ms) < max_age_ms).then_some(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::limits::StoreLimits;
    use crate::store::memory::MemoryStore;

    #[tokio::test]
    async fn a_sample_is_kept_for_ten_seconds() {
        let store = Store::Memory(Arc::new(MemoryStore::new(StoreLimits::DEFAULT, 10)));
        let clock = Clock::manual(1_800_000_000_000);
        let sampler = LiveTokenSampler::new(store, clock.clone());
        assert!(sampler.is_due() && sampler.last(60_000).is_none());
        assert_eq!(sampler.live_tokens().await.unwrap(), LiveTokens::default());
        assert!(!sampler.is_due());
        assert_eq!(sampler.last(60_000), Some(LiveTokens::default()));
        clock.advance_ms(RESAMPLED_AFTER_MS);
        assert!(sampler.is_due());
        assert_eq!((sampler.last(10_001), sampler.last(10_000)), (Some(LiveTokens::default()), None));
    }
}
