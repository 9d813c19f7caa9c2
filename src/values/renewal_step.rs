//! How much idle time an access must earn before it is written.


/// How much of its idle time a token uses up before an access renews it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenewalStep {
    /// A share of the idle time, 0 to 50 percent.
    Share {
        /// The share.
        percent: u8,
    },
    /// The same for every token.
    Fixed {
        /// Milliseconds.
        ms: u64,
    },
}

impl RenewalStep {
    /// The step in milliseconds of a token that lives `idle_ms` without access; never more than half of that,
    /// or a token in use could end.
    pub fn step_ms(self, idle_ms: u64) -> u64 {
        let step_ms = match self {
            // Divided first, so that nothing overflows; the rest makes up for what that cuts off.
            Self::Share { percent } => {
                let percent = u64::from(percent.min(100));
                idle_ms / 100 * percent + idle_ms % 100 * percent / 100
            }
            Self::Fixed { ms } => ms,
        };
        step_ms.min(idle_ms / 2)
    }
}

/// Every access renews.
impl Default for RenewalStep {
    fn default() -> Self {
        Self::Fixed { ms: 0 }
    }
}
