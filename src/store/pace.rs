//! The pace of a run or a walk over all keys.

use std::time::Duration;

/// The most keys that one step looks at: few enough to hold a server for about a millisecond.
const MAX_STEP: u64 = 256;
/// Steps in a second at a low rate.
const STEPS_PER_SECOND: u64 = 10;

/// Limits how many keys and members are looked at in a second.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    rate: u64,
}

impl Pace {
    /// `rate` is per second, at least 1.
    pub fn new(rate: u64) -> Self {
        Self { rate: rate.max(1) }
    }

    /// Returns how many keys a step may ask for.
    pub fn step(self) -> u64 {
        (self.rate / STEPS_PER_SECOND).clamp(1, MAX_STEP)
    }

    /// Returns the pause after a step that looked at so many keys and members and took `took_us`. Time that a slow server
    /// took is not made up for later.
    pub fn pause(self, looked_at: u64, took_us: u64) -> Duration {
        Duration::from_micros((looked_at.saturating_mul(1_000_000) / self.rate).saturating_sub(took_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_short_and_followed_by_the_rest_of_its_time() {
        assert_eq!([1, 10, 1000, 20_000].map(|rate| Pace::new(rate).step()), [1, 1, 100, 256]);
        assert_eq!(Pace::new(1000).pause(100, 0), Duration::from_millis(100));
        assert_eq!(Pace::new(1000).pause(100, 30_000), Duration::from_millis(70));
        assert_eq!(Pace::new(1000).pause(100, 200_000), Duration::ZERO);
        assert_eq!(Pace::new(0).pause(1, 0), Duration::from_secs(1));
    }
}
