//! The step in which accesses renew a token.

/// The part of its idle time that must have passed before an access renews a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenewalStep {
    /// A share of the idle time, 0 to 50 percent.
    Share {
        /// The share.
        percent: u8,
    },
    /// One duration for every token.
    Fixed {
        /// Milliseconds.
        ms: u64,
    },
}

impl RenewalStep {
    /// Returns the step in milliseconds of a token with this idle time: at most half of the idle time, because with more
    /// a token in use could expire.
    pub fn step_ms(self, idle_ms: u64) -> u64 {
        let step_ms = match self {
            // Divides first, so that nothing overflows; the second term adds the remainder.
            Self::Share { percent } => {
                let percent = u64::from(percent.min(100));
                idle_ms / 100 * percent + idle_ms % 100 * percent / 100
            }
            Self::Fixed { ms } => ms,
        };
        step_ms.min(idle_ms / 2)
    }
}

/// Every access renews the token.
impl Default for RenewalStep {
    fn default() -> Self {
        Self::Fixed { ms: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewal_step_is_never_more_than_half_of_the_idle_time() {
        assert_eq!(RenewalStep::Share { percent: 10 }.step_ms(3_600_000), 360_000);
        assert_eq!(RenewalStep::Share { percent: 10 }.step_ms(15), 1);
        assert_eq!(RenewalStep::Share { percent: 50 }.step_ms(u64::MAX), u64::MAX / 2);
        assert_eq!(RenewalStep::Share { percent: 255 }.step_ms(10), 5);
        assert_eq!(RenewalStep::Fixed { ms: 30_000 }.step_ms(3_600_000), 30_000);
        assert_eq!(RenewalStep::Fixed { ms: 30_000 }.step_ms(1_000), 500);
        assert_eq!(RenewalStep::Fixed { ms: 0 }.step_ms(1_000), 0);
    }
}
