//! Takeovers: a token acts as another user.
//!
//! The token keeps its owner, the actor. Takeovers never nest.

use std::cmp::Reverse;

use crate::token_string::TokenId;

/// The id of a takeover: made like a token's id, with the hash tag of the token's owner.
pub type TakeoverId = TokenId;

/// The takeovers of a token that are kept: the newest ones.
pub const MAX_TAKEOVERS_PER_TOKEN: usize = 100;
/// The takeovers of a user that are listed by the user: the newest ones. Older ones are listed by their tokens only.
pub const MAX_TAKEOVERS_PER_USER: usize = 1000;

/// The takeover under way, as the token record holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveTakeover {
    /// Its id.
    pub id: TakeoverId,
    /// The user taken over.
    pub user: String,
    /// Why.
    pub reason: Option<String>,
    /// When it began.
    pub created_at_ms: u64,
    /// Its hard end, at the latest.
    pub ends_at_ms: u64,
}

impl ActiveTakeover {
    /// Whether it is under way at `now_ms`.
    pub fn is_active(&self, now_ms: u64) -> bool {
        now_ms < self.ends_at_ms
    }
}

/// A takeover to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTakeover {
    /// Its id.
    pub id: TakeoverId,
    /// The token that acts as the user.
    pub token: TokenId,
    /// The user taken over.
    pub user: String,
    /// Why, for later readers.
    pub reason: Option<String>,
    /// Its hard end, at the latest.
    pub ends_at_ms: u64,
}

/// A takeover that a call has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedTakeover {
    /// Its id.
    pub id: TakeoverId,
    /// The owner of the token.
    pub actor: String,
    /// The user taken over.
    pub user: String,
}

/// A takeover, under way or over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Takeover {
    /// Its id.
    pub id: TakeoverId,
    /// The token that acts, or acted, as the user.
    pub token: TokenId,
    /// The token's owner.
    pub actor: String,
    /// The user taken over.
    pub user: String,
    /// Why.
    pub reason: Option<String>,
    /// When it began.
    pub created_at_ms: u64,
    /// Its hard end, unless it is ended or its token expires before.
    pub ends_at_ms: u64,
    /// When it ended; `None` while it is under way.
    pub ended_at_ms: Option<u64>,
}

impl Takeover {
    /// When a takeover ended, as of `now_ms`: when it was ended by a call, else at its hard end or its token's expiry,
    /// whichever came first. `None` while it is under way.
    ///
    /// Never before it began: of two calls at once, the one that read its clock first may be done last.
    pub fn end(
        created_at_ms: u64,
        ended_at_ms: Option<u64>,
        ends_at_ms: u64,
        token_expires_at_ms: u64,
        now_ms: u64,
    ) -> Option<u64> {
        let deadline_ms = ends_at_ms.min(token_expires_at_ms);
        let end_ms = ended_at_ms.or_else(|| (deadline_ms <= now_ms).then_some(deadline_ms));
        end_ms.map(|end_ms| end_ms.max(created_at_ms))
    }

    /// Whether it is shown: while it is under way, and for `retention_ms` afterwards.
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
    fn a_takeover_ends_by_a_call_at_its_hard_end_or_with_its_token() {
        assert_eq!(Takeover::end(20, None, 500, 100, 99), None);
        assert_eq!(Takeover::end(20, None, 500, 100, 100), Some(100));
        assert_eq!(Takeover::end(20, None, 50, 100, 60), Some(50));
        assert_eq!(Takeover::end(20, Some(40), 50, 100, 600), Some(40));
    }

    #[test]
    fn a_takeover_never_ends_before_it_began() {
        assert_eq!(Takeover::end(20, Some(19), 50, 100, 600), Some(20));
    }
}
