//! A histogram of durations, read by the scrape. Adding a duration is two atomic additions. Each validator has histograms of
//! its own, so a validation thread adds to memory that no other thread writes.

use std::sync::atomic::{AtomicU64, Ordering};

/// The upper bounds of the buckets, in nanoseconds. A cached validation falls into the first two: they are compared first.
pub const BOUNDS_NS: [u64; 21] = [
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
];
/// The buckets, with the one for longer durations.
const BUCKETS: usize = BOUNDS_NS.len() + 1;

/// Counts durations in buckets.
#[derive(Debug, Default)]
pub struct LatencyHistogram {
    buckets: [AtomicU64; BUCKETS],
    sum_ns: AtomicU64,
}

impl LatencyHistogram {
    /// Adds a duration.
    #[inline]
    pub fn add(&self, ns: u64) {
        let bucket = BOUNDS_NS.iter().position(|bound| ns <= *bound).unwrap_or(BOUNDS_NS.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_ns.fetch_add(ns, Ordering::Relaxed);
    }

    /// Adds what another histogram counted to these sums.
    pub fn add_to(&self, sums: &mut LatencySums) {
        for (sum, bucket) in sums.buckets.iter_mut().zip(&self.buckets) {
            *sum += bucket.load(Ordering::Relaxed);
        }
        sums.sum_ns += self.sum_ns.load(Ordering::Relaxed);
    }
}

/// The sums of several histograms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LatencySums {
    buckets: [u64; BUCKETS],
    sum_ns: u64,
}

impl LatencySums {
    /// Returns the number of durations.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Adds other sums to these.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in self.buckets.iter_mut().zip(other.buckets) {
            *sum += more;
        }
        self.sum_ns += other.sum_ns;
    }

    /// Returns what was added since these sums were the earlier ones.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut rise = *self;
        for (sum, before) in rise.buckets.iter_mut().zip(earlier.buckets) {
            *sum = sum.saturating_sub(before);
        }
        rise.sum_ns = rise.sum_ns.saturating_sub(earlier.sum_ns);
        rise
    }

    /// Estimates a quantile, from 0 to 1, in seconds, as `histogram_quantile` of Prometheus does: within its bucket, the
    /// durations count as evenly spread. A duration above the last bound counts as that bound. `None` without a duration.
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        let wanted = quantile * self.count() as f64;
        let (mut low, mut below) = (0.0, 0);
        for (bound, count) in self.buckets().filter(|_| wanted > 0.0) {
            if count > 0 && (below + count) as f64 >= wanted {
                let share = (wanted - below as f64) / count as f64;
                return Some(if bound.is_finite() { low + (bound - low) * share } else { low });
            }
            (low, below) = (bound, below + count);
        }
        None
    }

    /// Returns the sum of the durations in seconds.
    pub fn sum_seconds(&self) -> f64 {
        seconds(self.sum_ns)
    }

    /// Returns the upper bound of each bucket in seconds, and how many durations are in it and in no lower one.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = BOUNDS_NS.iter().map(|bound| seconds(*bound)).chain([f64::INFINITY]);
        bounds.zip(self.buckets)
    }
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let histogram = LatencyHistogram::default();
        for ns in [0, 1_000, 1_001, 5_000_000_000, 5_000_000_001] {
            histogram.add(ns);
        }
        let mut sums = LatencySums::default();
        histogram.add_to(&mut sums);
        let counted: Vec<_> = sums.buckets().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(1e-6, 2), (2.5e-6, 1), (5.0, 1), (f64::INFINITY, 1)]);
        assert_eq!((sums.count(), sums.sum_seconds()), (5, 10.000_002_002));
    }

    #[test]
    fn a_quantile_is_within_the_bucket_of_its_duration() {
        let (histogram, mut before) = (LatencyHistogram::default(), LatencySums::default());
        assert_eq!(before.quantile(0.5), None);
        histogram.add(7_000_000_000);
        histogram.add_to(&mut before);
        assert_eq!(before.quantile(0.5), Some(5.0), "above the last bound");
        for ns in [800, 900, 1_500, 2_000_000] {
            histogram.add(ns);
        }
        let mut now = LatencySums::default();
        histogram.add_to(&mut now);
        let rise = now.since(&before);
        assert_eq!((rise.count(), rise.quantile(0.5)), (4, Some(1e-6)));
        assert_eq!((rise.quantile(0.25), rise.quantile(1.0)), (Some(5e-7), Some(2.5e-3)));
    }
}
