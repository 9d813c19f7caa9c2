//! Counts and times validations. Each validator writes to blocks of its own, on cache lines of their own, and threads that
//! share a validator write to different ones, so that threads do not contend; the scrape sums the blocks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::latency::{LatencyHistogram, LatencySums};
use crate::named_enum::named_enum;
use crate::sync::thread_number;

named_enum! {
    /// The result of a validation, as it is counted.
    pub enum ValidationResult {
        /// The token is valid.
        Valid => "valid",
        /// The string is malformed, or its MAC is invalid.
        Forged => "forged",
        /// The string is verified, but its token is unknown, revoked, expired, rotated out, or not allowed on the transport.
        Refused => "refused",
        /// The second factor of the token is still to be shown.
        Pending => "pending",
        /// The store could not be asked.
        Unavailable => "unavailable",
    }
}

named_enum! {
    /// The source that a validation was judged by.
    pub enum JudgedBy {
        /// This process's memory: the token keys, the near cache or the embedded store.
        Memory => "cache",
        /// A read of Redis.
        Redis => "store",
    }
}

/// A value for each result and source.
type ByResultAndSource<T> = [[T; ValidationResult::ALL.len()]; JudgedBy::ALL.len()];

/// Blocks of a validator. If more threads share it, some write to the same block.
const BLOCKS: usize = 8;

/// The counters of one validator. Cheap to clone; all clones write to the same blocks.
#[derive(Clone, Debug, Default)]
pub struct ValidationCounters(Arc<[Block; BLOCKS]>);

/// Aligned to two cache lines: processors fetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Block {
    timed: ByResultAndSource<LatencyHistogram>,
    /// Validations of batches: a batch has one duration, not one for each token.
    batched: ByResultAndSource<AtomicU64>,
}

impl ValidationCounters {
    /// Returns the block that this thread writes to.
    #[inline]
    fn own(&self) -> &Block {
        &self.0[thread_number() % BLOCKS]
    }

    /// Counts a validation that took so long.
    #[inline]
    pub fn add(&self, result: ValidationResult, by: JudgedBy, ns: u64) {
        self.own().timed[by as usize][result as usize].add(ns);
    }

    /// Counts validations of a batch.
    pub fn add_batched(&self, result: ValidationResult, by: JudgedBy, count: u64) {
        self.own().batched[by as usize][result as usize].fetch_add(count, Ordering::Relaxed);
    }

    /// Adds what was counted to these sums.
    pub fn add_to(&self, sums: &mut ValidationSums) {
        self.0.iter().for_each(|block| block.add_to(sums));
    }

    /// Whether no validator uses these blocks any more but the holder of this handle.
    pub fn is_unused(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

impl Block {
    fn add_to(&self, sums: &mut ValidationSums) {
        for by in JudgedBy::ALL {
            for result in ValidationResult::ALL {
                let (by, result) = (by as usize, result as usize);
                self.timed[by][result].add_to(&mut sums.timed[by][result]);
                sums.batched[by][result] += self.batched[by][result].load(Ordering::Relaxed);
            }
        }
    }
}

/// The sums of the counters of several validators.
#[derive(Clone, Debug, Default)]
pub struct ValidationSums {
    timed: ByResultAndSource<LatencySums>,
    batched: ByResultAndSource<u64>,
}

impl ValidationSums {
    /// Returns the durations of single validations.
    pub fn timed(&self, result: ValidationResult, by: JudgedBy) -> &LatencySums {
        &self.timed[by as usize][result as usize]
    }

    /// Returns the number of validations with this result, batches included.
    pub fn total(&self, result: ValidationResult) -> u64 {
        JudgedBy::ALL.iter().map(|by| self.count(result, *by)).sum()
    }

    /// Returns the durations of all single validations.
    pub fn latency(&self) -> LatencySums {
        let mut all = LatencySums::default();
        self.timed.iter().flatten().for_each(|timed| all.add(timed));
        all
    }

    /// Returns the number of validations with this result and source, batches included.
    pub fn count(&self, result: ValidationResult, by: JudgedBy) -> u64 {
        self.timed(result, by).count() + self.batched[by as usize][result as usize]
    }
}

/// The counters of all validators of a node. Cheap to clone; all clones share one state.
#[derive(Clone, Debug, Default)]
pub struct AllValidations(Arc<Mutex<Blocks>>);

#[derive(Debug, Default)]
struct Blocks {
    in_use: Vec<ValidationCounters>,
    /// The sums of validators that are gone.
    gone: ValidationSums,
}

impl AllValidations {
    /// Returns the counters for a further validator.
    pub fn counters(&self) -> ValidationCounters {
        let counters = ValidationCounters::default();
        let mut blocks = self.blocks();
        blocks.retire_unused();
        blocks.in_use.push(counters.clone());
        counters
    }

    /// Returns the sums over all validators, present and gone.
    pub fn sums(&self) -> ValidationSums {
        let blocks = self.blocks();
        let mut sums = blocks.gone.clone();
        blocks.in_use.iter().for_each(|counters| counters.add_to(&mut sums));
        sums
    }

    fn blocks(&self) -> MutexGuard<'_, Blocks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Blocks {
    fn retire_unused(&mut self) {
        let gone = &mut self.gone;
        self.in_use.retain(|counters| {
            let is_unused = counters.is_unused();
            if is_unused {
                counters.add_to(gone);
            }
            !is_unused
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_validators_that_are_gone_remain() {
        let all = AllValidations::default();
        for _ in 0..3 {
            let counters = all.counters();
            counters.add(ValidationResult::Valid, JudgedBy::Memory, 500);
            counters.add_batched(ValidationResult::Valid, JudgedBy::Memory, 2);
        }
        assert_eq!(all.blocks().in_use.len(), 1, "only the last one");
        let sums = all.sums();
        assert_eq!(sums.count(ValidationResult::Valid, JudgedBy::Memory), 9);
        assert_eq!(sums.timed(ValidationResult::Valid, JudgedBy::Memory).count(), 3);
        assert_eq!(sums.count(ValidationResult::Valid, JudgedBy::Redis), 0);
    }

    #[test]
    fn blocks_share_no_cache_line() {
        assert_eq!((align_of::<Block>(), size_of::<Block>() % 128), (128, 0));
    }
}
