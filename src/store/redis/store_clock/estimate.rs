//! Estimates the offset of the masters' clocks from this machine's CLOCK_BOOTTIME. Pure: takes readings, gives offsets.
//!
//! A reading brackets the time that a master told between two boottimes, so it proves two bounds of the offset. The
//! round trip widens the bounds and shifts nothing: an offset that is inside them stays, another one moves to the
//! nearest bound.

/// A farther move of the offset is a jump, which a second look must confirm. No clock drifts so far between two looks.
pub(crate) const MAX_STEP_US: u64 = 1_000_000;
/// Masters whose clocks are closer agree on the time. Farther from it a script refuses to run (lua/context.lua).
pub(crate) const TOLERANCE_MS: u64 = 5_000;
pub(crate) const TOLERANCE_US: u64 = TOLERANCE_MS * 1000;

/// The bounds of a master's clock minus CLOCK_BOOTTIME that one reading of it proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    low_us: i64,
    high_us: i64,
}

impl Reading {
    /// The master's clock showed `shown_us` at some time between these boottimes. Each of the three is rounded down.
    pub(crate) fn new(shown_us: u64, sent_us: u64, answered_us: u64) -> Self {
        let minus = |boottime_us: u64| shown_us.cast_signed().saturating_sub_unsigned(boottime_us);
        Self {
            low_us: minus(answered_us.max(sent_us)).saturating_sub(1),
            high_us: minus(sent_us).saturating_add(1),
        }
    }

    /// The possible offset that is nearest to this one.
    fn nearest_us(self, offset_us: i64) -> i64 {
        offset_us.clamp(self.low_us, self.high_us)
    }

    /// How far the master's clock is ahead of a clock with this offset, at least; negative where it is behind.
    pub(crate) fn ahead_us(self, offset_us: i64) -> i64 {
        self.nearest_us(offset_us).saturating_sub(offset_us)
    }

    fn agrees_with(self, offset_us: i64) -> bool {
        self.ahead_us(offset_us).unsigned_abs() <= TOLERANCE_US
    }
}

/// What to do with the offset after a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing: it is right, or too few masters say otherwise.
    Keep,
    /// Set it: it is known from now on.
    Learn(i64),
    /// Set it: the clocks drifted.
    Step(i64),
    /// Nothing yet: the masters' clock seems to have jumped to this one.
    Suspect(i64),
    /// Set it: a second look saw the same jump.
    Jump(i64),
}

/// What an estimate needs from one look to the next.
#[derive(Debug, Default)]
pub(crate) struct Estimator {
    is_known: bool,
    suspected_us: Option<i64>,
}

impl Estimator {
    /// Whether a jump waits to be confirmed.
    pub(crate) fn suspects_a_jump(&self) -> bool {
        self.suspected_us.is_some()
    }

    /// Takes the readings of the masters that answered, of `masters` that there are.
    ///
    /// The masters' clock is the median of theirs. It is learned, and a jump of it is followed, only where more than
    /// half of all masters agree with it: so neither one wrong clock nor the absence of the others moves the offset.
    pub(crate) fn look(&mut self, offset_us: i64, readings: &[Reading], masters: usize) -> Verdict {
        let Some(median) = median(readings) else { return Verdict::Keep };
        let target_us = median.nearest_us(offset_us);
        if self.is_known && target_us.abs_diff(offset_us) <= MAX_STEP_US {
            self.suspected_us = None;
            return if target_us == offset_us { Verdict::Keep } else { Verdict::Step(target_us) };
        }
        let agreeing = readings.iter().filter(|reading| reading.agrees_with(target_us)).count();
        if 2 * agreeing <= masters {
            self.suspected_us = None;
            return Verdict::Keep;
        }
        if !self.is_known {
            self.is_known = true;
            return Verdict::Learn(target_us);
        }
        match self.suspected_us.take() {
            Some(suspected_us) if suspected_us.abs_diff(target_us) <= MAX_STEP_US => Verdict::Jump(target_us),
            _ => {
                self.suspected_us = Some(target_us);
                Verdict::Suspect(target_us)
            }
        }
    }
}

/// The median of the lower and of the upper bounds; of an even number the lower one, so that all nodes take the same.
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

    /// A reading of a clock with this offset that took no time.
    fn sharp(offset_us: i64) -> Reading {
        Reading { low_us: offset_us, high_us: offset_us }
    }

    fn known(offset_us: i64) -> Estimator {
        let mut estimator = Estimator::default();
        assert_eq!(estimator.look(0, &[sharp(offset_us)], 1), Verdict::Learn(offset_us));
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
        // A boottime that went back would prove nothing; it must not panic either.
        assert_eq!(Reading::new(500, 300, 100).nearest_us(0), 199);
    }

    #[test]
    fn an_offset_that_is_possible_stays() {
        let mut estimator = known(0);
        // The answer took seven seconds, the time was told at the end of them.
        let slow = Reading::new(7_000_000, 0, 7_000_000);
        assert_eq!(estimator.look(0, &[slow], 1), Verdict::Keep);
        assert_eq!(estimator.look(7_000_002, &[slow], 1), Verdict::Step(7_000_001));
    }

    #[test]
    fn a_drift_is_followed_to_the_nearest_bound() {
        let (mut estimator, mut offset_us) = (known(0), 0);
        for drift_us in (0..20_000).step_by(50) {
            let reading = Reading { low_us: drift_us - 200, high_us: drift_us + 200 };
            if let Verdict::Step(to_us) = estimator.look(offset_us, &[reading], 1) {
                offset_us = to_us;
            }
            assert!(offset_us.abs_diff(drift_us) <= 200, "{offset_us} at {drift_us}");
        }
    }

    #[test]
    fn the_first_look_is_believed() {
        for offset_us in [3 * DAY_US, -3 * DAY_US, 4 * SECOND_US, 0] {
            known(offset_us);
        }
    }

    #[test]
    fn a_jump_is_followed_when_a_second_look_confirms_it() {
        for to_us in [DAY_US, -DAY_US, 2 * SECOND_US] {
            let mut estimator = known(0);
            assert_eq!(estimator.look(0, &[sharp(to_us)], 1), Verdict::Suspect(to_us));
            assert_eq!(estimator.look(0, &[sharp(to_us + 5)], 1), Verdict::Jump(to_us + 5));
            assert_eq!(estimator.look(to_us + 5, &[sharp(to_us)], 1), Verdict::Step(to_us));
        }
    }

    #[test]
    fn a_jump_that_the_next_look_does_not_see_is_forgotten() {
        let mut estimator = known(0);
        assert_eq!(estimator.look(0, &[sharp(DAY_US)], 1), Verdict::Suspect(DAY_US));
        assert_eq!(estimator.look(0, &[sharp(2 * DAY_US)], 1), Verdict::Suspect(2 * DAY_US));
        assert_eq!(estimator.look(0, &[sharp(3)], 1), Verdict::Step(3));
        assert_eq!(estimator.look(3, &[sharp(2 * DAY_US)], 1), Verdict::Suspect(2 * DAY_US));
    }

    #[test]
    fn without_an_answer_nothing_changes() {
        let mut estimator = known(0);
        assert_eq!(estimator.look(0, &[sharp(DAY_US)], 1), Verdict::Suspect(DAY_US));
        assert_eq!(estimator.look(0, &[], 1), Verdict::Keep);
        assert_eq!(estimator.look(0, &[sharp(DAY_US)], 1), Verdict::Jump(DAY_US));
    }

    #[test]
    fn the_median_of_the_masters_counts() {
        let readings = |offsets: &[i64]| offsets.iter().map(|us| sharp(*us)).collect::<Vec<_>>();
        let learned = |offsets: &[i64], masters| Estimator::default().look(0, &readings(offsets), masters);
        assert_eq!(learned(&[DAY_US, 5, 7], 3), Verdict::Learn(7));
        assert_eq!(learned(&[5, -DAY_US, 7], 3), Verdict::Learn(5));
        assert_eq!(learned(&[-4 * SECOND_US, 0, 4 * SECOND_US], 3), Verdict::Learn(0));
        assert_eq!(learned(&[5, 7], 3), Verdict::Learn(5));
        assert_eq!(learned(&[5], 3), Verdict::Keep, "one of three");
        assert_eq!(learned(&[5, DAY_US], 3), Verdict::Keep, "they do not agree");
        assert_eq!(learned(&[], 3), Verdict::Keep);
    }

    #[test]
    fn a_minority_moves_nothing_though_it_is_all_that_answers() {
        let mut estimator = known(0);
        for _ in 0..3 {
            assert_eq!(estimator.look(0, &[sharp(-DAY_US), sharp(0)], 3), Verdict::Keep);
            assert_eq!(estimator.look(0, &[sharp(-DAY_US)], 3), Verdict::Keep);
        }
    }

    #[test]
    fn bounds_of_masters_with_slow_answers_are_taken_together() {
        let wide = |low_us, high_us| Reading { low_us, high_us };
        let all = [wide(-900, 100), wide(-10, 10), wide(-50, 700)];
        assert_eq!(median(&all), Some(wide(-50, 100)));
    }
}
