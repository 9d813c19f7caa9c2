//! What a node has done so far, and its rates between two such counts.

use crate::clock::Clock;
use crate::model::node_report::NodeRates;
use crate::model::revoke_reason::RevokeReason;
use crate::store::Store;
use crate::store::cache::CacheStats;
use crate::validation::counters::{AllValidations, ValidationResult, ValidationSums};

/// What a node has done up to a moment, from the counters that the metrics show.
pub(super) struct Tally {
    at_ns: u64,
    validations: ValidationSums,
    cache: CacheStats,
    issued: u64,
    revoked: u64,
}

impl Tally {
    /// Counts what the node has done.
    pub(super) fn of(store: &Store, validations: &AllValidations, clock: &Clock) -> Self {
        let changes = store.changes();
        Self {
            at_ns: clock.boottime_ns(),
            validations: validations.sums(),
            cache: store.cache_stats(),
            issued: changes.issued.get(),
            revoked: changes.revoked.counts(&RevokeReason::ALL).map(|(_, count)| count).sum(),
        }
    }

    /// Returns the rates since an earlier count; `None` if no time has passed.
    pub(super) fn rates_since(&self, before: &Self) -> Option<NodeRates> {
        let seconds = self.at_ns.saturating_sub(before.at_ns) as f64 / 1e9;
        if seconds <= 0.0 {
            return None;
        }
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        let of = |result| rate(self.validations.total(result), before.validations.total(result));
        let looks = self.cache.looks().saturating_sub(before.cache.looks());
        let answered = self.cache.answered().saturating_sub(before.cache.answered());
        let latency = self.validations.latency().since(&before.validations.latency());
        Some(NodeRates {
            valid: of(ValidationResult::Valid),
            forged: of(ValidationResult::Forged),
            refused: of(ValidationResult::Refused),
            pending: of(ValidationResult::Pending),
            unavailable: of(ValidationResult::Unavailable),
            issued: rate(self.issued, before.issued),
            revoked: rate(self.revoked, before.revoked),
            hit_rate: (looks > 0).then(|| answered as f64 / looks as f64),
            duration_seconds: latency.quantile(0.5).zip(latency.quantile(0.99)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::limits::StoreLimits;
    use crate::store::memory::MemoryStore;
    use crate::validation::counters::JudgedBy;

    #[test]
    fn rates_are_by_the_second_of_the_interval() {
        let store = Store::Memory(Arc::new(MemoryStore::new(StoreLimits::DEFAULT, 10)));
        let (clock, validations) = (Clock::manual(1_800_000_000_000), AllValidations::default());
        let counters = validations.counters();
        let tally = || Tally::of(&store, &validations, &clock);
        counters.add(ValidationResult::Valid, JudgedBy::Memory, 500);
        let before = tally();
        assert_eq!(tally().rates_since(&before), None);
        counters.add_batched(ValidationResult::Valid, JudgedBy::Redis, 8);
        counters.add(ValidationResult::Forged, JudgedBy::Memory, 1_700);
        store.changes().issued.add(3);
        store.changes().revoked.add(RevokeReason::Logout, 1);
        clock.advance_ms(2000);
        let rates = tally().rates_since(&before).unwrap();
        assert_eq!((rates.valid, rates.forged, rates.refused), (4.0, 0.5, 0.0));
        assert_eq!((rates.issued, rates.revoked, rates.hit_rate), (1.5, 0.5, None));
        let (median, slowest) = rates.duration_seconds.unwrap();
        assert!(median > 1e-6 && median < slowest && slowest < 2.5e-6, "{median} {slowest}");
    }
}
