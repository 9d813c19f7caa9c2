//! How many live tokens the store has: counted, or estimated from a sample.

/// A number of live tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LiveTokens {
    /// The number, or the best guess at it.
    pub estimate: u64,
    /// The standard error of the estimate: two times of three, the number is within it. 0 if the tokens were counted.
    pub error: f64,
    /// The keys that were looked at.
    pub sampled: u64,
}

impl LiveTokens {
    /// Counted: exact.
    pub fn counted(live: u64, keys: u64) -> Self {
        Self { estimate: live, error: 0.0, sampled: keys }
    }

    /// Estimated: of `keys` keys, `sampled` were drawn at random, each from all of them, and `live` of these were live tokens.
    pub fn estimated(keys: u64, live: u64, sampled: u64) -> Self {
        if sampled == 0 {
            return Self::default();
        }
        let share = live as f64 / sampled as f64;
        // As if one more of each kind had been drawn: a sample of one kind does not prove that there is no other (the rule of
        // succession).
        let cautious = (live + 1) as f64 / (sampled + 2) as f64;
        let error = (cautious * (1.0 - cautious) / sampled as f64).sqrt();
        Self { estimate: (keys as f64 * share).round() as u64, error: keys as f64 * error, sampled }
    }

    /// The tokens of two parts of the store, whose errors do not depend on each other.
    pub fn and(self, other: Self) -> Self {
        Self {
            estimate: self.estimate + other.estimate,
            error: self.error.hypot(other.error),
            sampled: self.sampled + other.sampled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_has_the_standard_error_of_a_share() {
        let half = LiveTokens::estimated(1_000_000, 200, 400);
        assert_eq!((half.estimate, half.error.round(), half.sampled), (500_000, 25_000.0, 400));
        assert_eq!(LiveTokens::estimated(10, 0, 0), LiveTokens::default());
        // A sample without a live token does not prove that no token is live.
        let none = LiveTokens::estimated(1_000_000, 0, 400);
        assert!(none.estimate == 0 && none.error > 1_000.0, "{none:?}");
        let both = half.and(half).and(LiveTokens::counted(7, 9));
        assert_eq!((both.estimate, both.error.round(), both.sampled), (1_000_007, 35_355.0, 809));
    }
}
