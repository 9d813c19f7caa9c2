//! The write of an access: the last access, and the renewal that it earned.

use crate::token_string::TokenId;

/// An access to a token, to be written to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The token accessed.
    pub id: TokenId,
    /// Its owner: the user's index holds the last access.
    pub user: String,
    /// When it was accessed.
    pub access_ms: u64,
    /// The renewal that it earned, if it is worth a write.
    pub renewal: Option<Renewal>,
}

impl Touch {
    /// The token must have been live at this time; otherwise nothing is written.
    pub fn since_ms(&self) -> u64 {
        self.renewal.map_or(self.access_ms, |renewal| renewal.from_ms.min(self.access_ms))
    }
}

/// The renewal that a chain of accesses has earned: each access was in time by the expiry that the one before it earned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// The first access of the chain, which was in time by the stored expiry.
    pub from_ms: u64,
    /// The expiry that the last access earned.
    pub to_ms: u64,
}

impl Renewal {
    /// Joins two chains, in any order.
    pub fn and(self, other: Self) -> Self {
        Self { from_ms: self.from_ms.min(other.from_ms), to_ms: self.to_ms.max(other.to_ms) }
    }
}
