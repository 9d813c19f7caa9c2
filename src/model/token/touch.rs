//! The write of an access: the last access, and the renewal that it earned.

use crate::token_string::TokenId;

/// An access to a token, as the last-access flusher hands it to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The token accessed.
    pub id: TokenId,
    /// Its owner, whose index keeps the last access.
    pub user: String,
    /// When.
    pub access_ms: u64,
    /// What it earned, when that is worth a write.
    pub renewal: Option<Renewal>,
}

impl Touch {
    /// The token must have lived at this time, or nothing is written.
    pub fn since_ms(&self) -> u64 {
        self.renewal.map_or(self.access_ms, |renewal| renewal.from_ms.min(self.access_ms))
    }
}

/// The expiry that a chain of accesses has earned: each was in time by what the one before it had earned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// The first access of the chain: it was in time by the expiry that the store knows.
    pub from_ms: u64,
    /// The expiry earned by the last one.
    pub to_ms: u64,
}

impl Renewal {
    /// The chain of both, of which the order does not matter.
    pub fn and(self, other: Self) -> Self {
        Self { from_ms: self.from_ms.min(other.from_ms), to_ms: self.to_ms.max(other.to_ms) }
    }
}
