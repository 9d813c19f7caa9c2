//! Estimates the offset of the masters' clocks from this machine's CLOCK_BOOTTIME. Pure: readings in, decisions out.
//!
//! A reading brackets a master's time between two boottimes, which proves two bounds of the offset. The round trip widens
//! the bounds and shifts nothing: an offset inside them stays, any other moves to the nearest bound.

/// A larger move of the offset is a jump, which a second reading must confirm. No clock drifts as far between readings.
pub(crate) const MAX_STEP_US: u64 = 1_000_000;
/// Masters agree if their clocks are at most this far apart. Scripts refuse callers whose clocks are farther away
/// (lua/shared/context.lua).
pub(crate) const TOLERANCE_MS: u64 = 5_000;
pub(crate) const TOLERANCE_US: u64 = TOLERANCE_MS * 1000;

/// The bounds that one reading proves for a master's clock minus CLOCK_BOOTTIME.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    low_us: i64,
    high_us: i64,
}

impl Reading {
    /// The master's clock showed `shown_us` at some time between these boottimes. All three are rounded down.
    pub(crate) fn new(shown_us: u64, sent_us: u64, answered_us: u64) -> Self {
        let minus = |boottime_us: u64| shown_us.cast_signed().saturating_sub_unsigned(boottime_us);
        Self {
            low_us: minus(answered_us.max(sent_us)).saturating_sub(1),
            high_us: minus(sent_us).saturating_add(1),
        }
    }

    /// Returns the possible offset that is nearest to this one.
    fn nearest_us(self, offset_us: i64) -> i64 {
        offset_us.clamp(self.low_us, self.high_us)
    }

    /// Returns how far, at least, the master's clock is ahead of a clock with this offset; negative if it is behind.
    pub(crate) fn ahead_us(self, offset_us: i64) -> i64 {
        self.nearest_us(offset_us).saturating_sub(offset_us)
    }

    fn agrees_with(self, offset_us: i64) -> bool {
        self.ahead_us(offset_us).unsigned_abs() <= TOLERANCE_US
    }
}

/// The next step with the offset after new readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClockDecision {
    /// Keep it: it is right, or too few masters disagree.
    Keep,
    /// Set it for the first time.
    Learn(i64),
    /// Set it: the clocks drifted.
    Step(i64),
    /// Keep it for now: the masters' clock seems to have jumped to this one.
    Suspect(i64),
    /// Set it: a second reading confirmed the jump.
    Jump(i64),
}

/// The state between one set of readings and the next.
#[derive(Debug, Default)]
pub(crate) struct Estimator {
    is_known: bool,
    suspected_us: Option<i64>,
}

impl Estimator {
    /// Whether a jump is waiting to be confirmed.
    pub(crate) fn suspects_a_jump(&self) -> bool {
        self.suspected_us.is_some()
    }

    /// Decides by the readings of the masters that answered, out of `masters`.
    ///
    /// The median of the masters' clocks counts. It is learned, and its jumps are followed, only if more than half of all
    /// masters agree with it: neither one wrong clock nor the absence of the others moves the offset.
    pub(crate) fn decide(&mut self, offset_us: i64, readings: &[Reading], masters: usize) -> ClockDecision {
        let Some(median) = median(readings) else { return ClockDecision::Keep };
        let target_us = median.nearest_us(offset_us);
        if self.is_known && target_us.abs_diff(offset_us) <= MAX_STEP_US {
            self.suspected_us = None;
            return if target_us == offset_us { ClockDecision::Keep } else { ClockDecision::Step(target_us) };
        }
        let agreeing = readings.iter().filter(|reading| reading.agrees_with(target_us)).count();
        if 2 * agreeing <= masters {
            self.suspected_us = None;
            return ClockDecision::Keep;
        }
        if !self.is_known {
            self.is_known = true;
            return ClockDecision::Learn(target_us);
        }
        match self.suspected_us.take() {
            Some(suspected_us) if suspected_us.abs_diff(target_us) <= MAX_STEP_US => {
                ClockDecision::Jump(target_us)
            }
            _ => {
                self.suspected_us = Some(target_us);
                ClockDecision::Suspect(target_us)
            }
        }
    }
}

/// Returns the median of the lower and of the upper bounds. Of an even number it is the lower one, so that all nodes agree.
fn median(readings: &[Reading]) -> Option<Reading> {
    let middle = readings.len().checked_sub(1)? / 2;
    let nth = |bound: fn(&Reading) -> i64| {
        let mut bounds: Vec<i64> = readings.iter().map(bound).collect();
        bounds.sort_unstable();
        bounds.get(middle).copied()
    };
    Some(Reading { low_us: nth(|reading| reading.low_us)?, high_us: nth(|reading| reading.high_us)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_US: i64 = 1_000_000;
    const DAY_US: i64 = 86_400 * SECOND_US;

    /// An exact reading of a clock with this offset.
    fn exact(offset_us: i64) -> Reading {
        Reading { low_us: offset_us, high_us: offset_us }
    }

    fn known(offset_us: i64) -> Estimator {
        let mut estimator = Estimator::default();
        assert_eq!(estimator.decide(0, &[exact(offset_us)], 1), ClockDecision::Learn(offset_us));
        estimator
    }

    #[test]
    fn a_reading_is_as_exact_as_its_round_trip() {
        let reading = Reading::new(1_000_500, 100, 300);
        assert_eq!(reading, Reading { low_us: 1_000_199, high_us: 1_000_401 });
        assert_eq!(
            [0, 1_000_300, 9_000_000].map(|us| reading.nearest_us(us)),
            [1_000_199, 1_000_300, 1_000_401]
        );
        assert_eq!([0, 1_000_300, 1_000_500].map(|us| reading.ahead_us(us)), [1_000_199, 0, -99]);
        // A boottime that goes backwards proves nothing, but must not panic.
        assert_eq!(Reading::new(500, 300, 100).nearest_us(0), 199);
    }

    #[test]
    fn an_offset_that_is_possible_stays() {
        let mut estimator = known(0);
        // The answer took seven seconds, and the master read its clock at their end.
        let slow = Reading::new(7_000_000, 0, 7_000_000);
        assert_eq!(estimator.decide(0, &[slow], 1), ClockDecision::Keep);
        assert_eq!(estimator.decide(7_000_002, &[slow], 1), ClockDecision::Step(7_000_001));
    }

    #[test]
    fn a_drift_is_followed_to_the_nearest_bound() {
        let (mut estimator, mut offset_us) = (known(0), 0);
        for drift_us in (0..20_000).step_by(50) {
            let reading = Reading { low_us: drift_us - 200, high_us: drift_us + 200 };
            if let ClockDecision::Step(to_us) = estimator.decide(offset_us, &[reading], 1) {
                offset_us = to_us;
            }
            assert!(offset_us.abs_diff(drift_us) <= 200, "{offset_us} at {drift_us}");
        }
    }

    #[test]
    fn the_first_reading_is_followed() {
        for offset_us in [3 * DAY_US, -3 * DAY_US, 4 * SECOND_US, 0] {
            known(offset_us);
        }
    }

    #[test]
    fn a_jump_is_followed_once_a_second_reading_confirms_it() {
        for to_us in [DAY_US, -DAY_US, 2 * SECOND_US] {
            let mut estimator = known(0);
            assert_eq!(estimator.decide(0, &[exact(to_us)], 1), ClockDecision::Suspect(to_us));
            assert_eq!(estimator.decide(0, &[exact(to_us + 5)], 1), ClockDecision::Jump(to_us + 5));
            assert_eq!(estimator.decide(to_us + 5, &[exact(to_us)], 1), ClockDecision::Step(to_us));
        }
    }

    #[test]
    fn an_unconfirmed_jump_is_dropped() {
        let mut estimator = known(0);
        assert_eq!(estimator.decide(0, &[exact(DAY_US)], 1), ClockDecision::Suspect(DAY_US));
        assert_eq!(estimator.decide(0, &[exact(2 * DAY_US)], 1), ClockDecision::Suspect(2 * DAY_US));
        assert_eq!(estimator.decide(0, &[exact(3)], 1), ClockDecision::Step(3));
        assert_eq!(estimator.decide(3, &[exact(2 * DAY_US)], 1), ClockDecision::Suspect(2 * DAY_US));
    }

    #[test]
    fn without_readings_nothing_changes() {
        let mut estimator = known(0);
        assert_eq!(estimator.decide(0, &[exact(DAY_US)], 1), ClockDecision::Suspect(DAY_US));
        assert_eq!(estimator.decide(0, &[], 1), ClockDecision::Keep);
        assert_eq!(estimator.decide(0, &[exact(DAY_US)], 1), ClockDecision::Jump(DAY_US));
    }

    #[test]
    fn the_median_of_the_masters_counts() {
        let readings = |offsets: &[i64]| offsets.iter().map(|us| exact(*us)).collect::<Vec<_>>();
        let learned = |offsets: &[i64], masters| Estimator::default().decide(0, &readings(offsets), masters);
        assert_eq!(learned(&[DAY_US, 5, 7], 3), ClockDecision::Learn(7));
        assert_eq!(learned(&[5, -DAY_US, 7], 3), ClockDecision::Learn(5));
        assert_eq!(learned(&[-4 * SECOND_US, 0, 4 * SECOND_US], 3), ClockDecision::Learn(0));
        assert_eq!(learned(&[5, 7], 3), ClockDecision::Learn(5));
        assert_eq!(learned(&[5], 3), ClockDecision::Keep, "one of three");
        assert_eq!(learned(&[5, DAY_US], 3), ClockDecision::Keep, "they do not agree");
        assert_eq!(learned(&[], 3), ClockDecision::Keep);
    }

    #[test]
    fn a_minority_moves_nothing_even_if_only_it_answers() {
        let mut estimator = known(0);
        for _ in 0..3 {
            assert_eq!(estimator.decide(0, &[exact(-DAY_US), exact(0)], 3), ClockDecision::Keep);
            assert_eq!(estimator.decide(0, &[exact(-DAY_US)], 3), ClockDecision::Keep);
        }
    }

    #[test]
    fn the_median_of_slow_readings_takes_each_bound_separately() {
        let wide = |low_us, high_us| Reading { low_us, high_us };
        let all = [wide(-900, 100), wide(-10, 10), wide(-50, 700)];
        assert_eq!(median(&all), Some(wide(-50, 100)));
    }
}
