//! Lets this node's clock follow the store's.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::estimate::{ClockDecision, Estimator, MAX_STEP_US, Reading, TOLERANCE_MS, TOLERANCE_US};
use crate::clock::Clock;
use crate::store::error::StoreError;

/// The clock of this node, which follows the masters' clocks.
pub struct StoreClock {
    clock: Clock,
    /// Whether `clock` shows the store's time. Until then it shows the system's, which may be wrong by days.
    is_known: AtomicBool,
    estimator: Mutex<Estimator>,
}

impl StoreClock {
    /// Lets `clock` follow the store. A manual clock does not follow it.
    pub(crate) fn new(clock: Clock) -> Self {
        let is_known = AtomicBool::new(clock.offset_us().is_none());
        Self { clock, is_known, estimator: Mutex::default() }
    }

    /// Fails until the store's time is known: no token may be judged by another clock.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(crate) fn require_known(&self) -> Result<(), StoreError> {
        match self.is_known.load(Ordering::Acquire) {
            true => Ok(()),
            false => Err(StoreError::Unavailable("the store's clock is not known yet".into())),
        }
    }

    /// Returns how far the caller's time may be from the server's for a script to run; `None` for a manual clock.
    pub(crate) fn tolerance_ms(&self) -> Option<u64> {
        self.clock.offset_us().map(|_| TOLERANCE_MS)
    }

    pub(crate) fn estimator(&self) -> MutexGuard<'_, Estimator> {
        self.estimator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows the readings of the masters that answered, out of `masters`.
    ///
    /// # Errors
    /// `Unavailable` while the time is not known.
    pub(crate) fn follow<M: std::fmt::Display>(
        &self,
        readings: &[(M, Reading)],
        masters: usize,
    ) -> Result<(), StoreError> {
        let Some(old_us) = self.clock.offset_us() else { return Ok(()) };
        let only_readings: Vec<_> = readings.iter().map(|(_, reading)| *reading).collect();
        let mut estimator = self.estimator();
        let decision = estimator.decide(old_us, &only_readings, masters);
        if let ClockDecision::Learn(new_us) | ClockDecision::Step(new_us) | ClockDecision::Jump(new_us) =
            decision
        {
            self.clock.set_offset_us(new_us);
        }
        drop(estimator);
        if let ClockDecision::Learn(_) = decision {
            self.is_known.store(true, Ordering::Release);
        }
        log(decision, old_us, readings);
        self.require_known()
    }

    /// Returns how far a master's clock is ahead of this node's, if it is so far off that its scripts refuse.
    pub(crate) fn is_off_by_ms(&self, reading: Reading) -> Option<i64> {
        let ahead_us = reading.ahead_us(self.clock.offset_us()?);
        (ahead_us.unsigned_abs() > TOLERANCE_US).then_some(ahead_us / 1000)
    }

    /// Returns how far the store's clock is ahead of this machine's, if that is as much.
    pub(crate) fn system_is_off_by_ms(&self) -> Option<i64> {
        self.clock.offset_us()?;
        let ahead_ms = self.clock.now_ms().cast_signed().saturating_sub_unsigned(self.clock.wall_ms());
        let is_off = self.require_known().is_ok() && ahead_ms.unsigned_abs() > TOLERANCE_MS;
        is_off.then_some(ahead_ms)
    }
}

/// Formats a distance for messages: "… ahead of" or "… behind".
pub(crate) fn distance(ahead_ms: i64) -> String {
    let side = if ahead_ms < 0 { "behind" } else { "ahead of" };
    format!("{} ms {side}", ahead_ms.unsigned_abs())
}

/// Returns the error for a script that refused the caller's clock, which is `ahead_ms` ahead of the server's.
pub fn clock_refusal(ahead_ms: Option<&str>) -> StoreError {
    let ahead_ms = ahead_ms.and_then(|ms| ms.parse().ok()).unwrap_or(0);
    StoreError::Unavailable(format!("this node's clock is {} the server's", distance(ahead_ms)))
}

fn log<M: std::fmt::Display>(decision: ClockDecision, old_us: i64, readings: &[(M, Reading)]) {
    let moved_ms = |new_us: i64| (new_us - old_us) / 1000;
    let masters = || readings.iter().map(|(master, _)| master.to_string()).collect::<Vec<_>>().join(" ");
    match decision {
        ClockDecision::Learn(new_us) if new_us.abs_diff(old_us) > MAX_STEP_US => tracing::warn!(
            system_ahead_ms = -moved_ms(new_us),
            masters = masters(),
            "system clock is wrong: following the store's clock"
        ),
        ClockDecision::Suspect(new_us) => tracing::debug!(
            by_ms = moved_ms(new_us),
            masters = masters(),
            "store clock may have jumped: waiting for a second reading"
        ),
        ClockDecision::Jump(new_us) => tracing::warn!(
            by_ms = moved_ms(new_us),
            old_offset_ms = old_us / 1000,
            new_offset_ms = new_us / 1000,
            masters = masters(),
            "store clock has jumped: following it"
        ),
        ClockDecision::Keep | ClockDecision::Learn(_) | ClockDecision::Step(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shows(clock: &Clock, ahead_ms: i64) -> Reading {
        let now_us = clock.boottime_us();
        Reading::new(now_us.saturating_add_signed(ahead_ms * 1000), now_us, now_us)
    }

    #[test]
    fn a_master_with_a_wrong_clock_is_named_and_the_others_are_followed() {
        let clock = Clock::with_wrong_wall(86_400_000);
        let (right, wrong) = (shows(&clock, 0), shows(&clock, 6_000));
        let store_clock = StoreClock::new(clock.clone());
        assert!(store_clock.require_known().is_err());
        assert!(store_clock.follow(&[("a", right)], 3).is_err(), "one of three");
        assert!(store_clock.require_known().is_err());
        assert!(store_clock.follow(&[("a", right), ("b", right), ("c", wrong)], 3).is_ok());
        assert_eq!([right, wrong].map(|reading| store_clock.is_off_by_ms(reading)), [None, Some(5_999)]);
        // The masters show the boottime: a time soon after 1970.
        assert!(store_clock.system_is_off_by_ms().is_some_and(|ms| ms < -86_400_000));
        assert!(store_clock.require_known().is_ok());
        assert!(clock.offset_us().unwrap().unsigned_abs() <= 1);
        assert!(store_clock.follow(&[("a", right), ("b", right)], 3).is_ok());
    }

    #[test]
    fn a_master_is_off_until_its_jump_is_followed() {
        let clock = Clock::system();
        let store_clock = StoreClock::new(clock.clone());
        store_clock.follow(&[("a", shows(&clock, 0))], 1).unwrap();
        let before_us = clock.offset_us().unwrap();
        let jumped = shows(&clock, 60_000);
        store_clock.follow(&[("a", jumped)], 1).unwrap();
        assert!(store_clock.is_off_by_ms(jumped).is_some());
        assert_eq!(clock.offset_us().unwrap(), before_us);
        store_clock.follow(&[("a", shows(&clock, 60_000))], 1).unwrap();
        assert!(clock.offset_us().unwrap() > 59_000_000);
    }

    #[test]
    fn messages_say_which_clock_is_ahead() {
        assert_eq!([0, 7, -7].map(distance), ["0 ms ahead of", "7 ms ahead of", "7 ms behind"]);
        assert!(
            clock_refusal(Some("-6000"))
                .to_string()
                .ends_with("this node's clock is 6000 ms behind the server's")
        );
    }

    #[test]
    fn a_manual_clock_does_not_follow_and_is_not_compared() {
        let store_clock = StoreClock::new(Clock::manual(5));
        assert!(store_clock.require_known().is_ok());
        assert_eq!(store_clock.tolerance_ms(), None);
        store_clock.follow(&[("a", Reading::new(86_400_000_000, 0, 0))], 1).unwrap();
        assert_eq!(store_clock.clock.now_ms(), 5);
    }
}
