//! The reasons why an active token opens nothing. One byte, because the record has no room for another flag.

/// A set of reasons why an active token opens nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bars(u8);

impl Bars {
    /// Nothing: the token is open.
    pub const NONE: Self = Self(0);
    /// Its second factor is still to be shown.
    pub const PENDING: Self = Self(1);
    /// Its user is locked.
    pub const LOCKED: Self = Self(2);

    /// Whether this bar is among them.
    pub const fn has(self, bar: Self) -> bool {
        self.0 & bar.0 != 0
    }

    /// The set with this bar, or without it.
    #[must_use]
    pub const fn with(self, bar: Self, is_set: bool) -> Self {
        Self(if is_set { self.0 | bar.0 } else { self.0 & !bar.0 })
    }
}
