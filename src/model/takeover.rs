//! A takeover: one's token acts as another user. Pure: no store, no clock.
//!
//! The token keeps its owner, the actor; a takeover of a taken-over token never nests.

use std::cmp::Reverse;

use crate::token_string::TokenId;

/// The name of a takeover: made like a token's id, with the shard tag of the token's owner.
pub type TakeoverId = TokenId;

/// The newest takeovers of a token that are kept; an older one is forgotten.
pub const MAX_TAKEOVERS_PER_TOKEN: usize = 100;
/// The newest takeovers of a user that are found by that user; older ones are found by their tokens only.
pub const MAX_TAKEOVERS_PER_USER: usize = 1000;

/// What a token knows of the takeover under way on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveTakeover {
    /// Its name.
    pub id: TakeoverId,
    /// The user taken over.
    pub user: String,
    /// Why.
    pub reason: Option<String>,
    /// When it began.
    pub created_at_ms: u64,
    /// Its hard end.
    pub ends_at_ms: u64,
}

impl ActiveTakeover {
    /// Whether its hard end is still to come.
    pub fn is_active(&self, now_ms: u64) -> bool {
        now_ms < self.ends_at_ms
    }
}

/// A takeover to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTakeover {
    /// Its name.
    pub id: TakeoverId,
    /// The token that acts.
    pub token: TokenId,
    /// The user taken over.
    pub user: String,
    /// Why, for those who look later.
    pub reason: Option<String>,
    /// Its hard end.
    pub ends_at_ms: u64,
}

/// A takeover, under way or over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Takeover {
    /// Its name.
    pub id: TakeoverId,
    /// The token that acted.
    pub token: TokenId,
    /// The token's owner.
    pub actor: String,
    /// The user taken over.
    pub user: String,
    /// Why.
    pub reason: Option<String>,
    /// When it began.
    pub created_at_ms: u64,
    /// Its hard end, if neither somebody nor its token ends it before.
    pub ends_at_ms: u64,
    /// When it ended; `None` while it is under way.
    pub ended_at_ms: Option<u64>,
}

impl Takeover {
    /// When a takeover was over, seen at `now_ms`: when somebody ended it, else at its hard end or with its token's
    /// expiry, whichever came first; `None` while it is under way.
    pub fn end(
        ended_at_ms: Option<u64>,
        ends_at_ms: u64,
        token_expires_at_ms: u64,
        now_ms: u64,
    ) -> Option<u64> {
        let deadline_ms = ends_at_ms.min(token_expires_at_ms);
        ended_at_ms.or_else(|| (deadline_ms <= now_ms).then_some(deadline_ms))
    }

    /// Whether it is still shown: while it is under way, and then for `retention_ms`.
    pub fn is_visible(&self, now_ms: u64, retention_ms: u64) -> bool {
        self.ended_at_ms.is_none_or(|ended_at_ms| ended_at_ms.saturating_add(retention_ms) > now_ms)
    }

    /// The order of every listing: newest first, ties by id.
    pub fn listing_key(&self) -> (Reverse<u64>, TakeoverId) {
        (Reverse(self.created_at_ms), self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_takeover_ends_by_hand_by_its_hard_end_or_with_its_token() {
        assert_eq!(Takeover::end(None, 500, 100, 99), None);
        assert_eq!(Takeover::end(None, 500, 100, 100), Some(100));
        assert_eq!(Takeover::end(None, 50, 100, 60), Some(50));
        assert_eq!(Takeover::end(Some(40), 50, 100, 600), Some(40));
    }
}
