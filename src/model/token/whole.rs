//! The whole token: its record, and what is shown of it besides.

use std::cmp::Reverse;
use std::sync::Arc;

use super::details::TokenDetails;
use super::record::TokenRecord;
use crate::model::revoke_reason::RevokeReason;
use crate::token_string::TokenId;

/// When and why a token was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// When.
    pub at_ms: u64,
    /// Why; `None` for a reason of a later version.
    pub reason: Option<RevokeReason>,
}

/// The whole token: what the store keeps, and what is shown of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The part that validation needs.
    pub record: Arc<TokenRecord>,
    /// The part that is only shown.
    pub details: Arc<TokenDetails>,
    /// The last access known; at first the time of issue.
    pub last_access_ms: u64,
    /// `None` while the token is active.
    pub revoked: Option<Revocation>,
}

/// A borrowed [`Token`]: a batch shows cached tokens without counting references to them.
#[derive(Clone, Copy, Debug)]
pub struct TokenRef<'a> {
    /// See [`Token`].
    pub record: &'a Arc<TokenRecord>,
    /// See [`Token`].
    pub details: &'a Arc<TokenDetails>,
    /// See [`Token`].
    pub last_access_ms: u64,
    /// See [`Token`].
    pub revoked: Option<Revocation>,
}

impl Token {
    /// The active token of a cached record, if its details are cached, too. No access is known but those that the record
    /// has seen.
    pub fn of_cached(record: Arc<TokenRecord>) -> Option<Self> {
        let details = record.details.get()?.clone();
        let last_access_ms = record.created_at_ms.max(record.accesses.latest_ms());
        Some(Self { record, details, last_access_ms, revoked: None })
    }

    /// Whether the admin plane shows it: while it is live, and for `retention_ms` once it is revoked.
    pub fn is_visible(&self, now_ms: u64, retention_ms: u64) -> bool {
        match self.revoked {
            Some(revoked) => revoked.at_ms.saturating_add(retention_ms) > now_ms,
            None => self.record.is_live(now_ms),
        }
    }

    /// Gives the token to `user`; for a token that was made before its owner was known.
    pub fn with_user(mut self, user: &str) -> Self {
        let record = Arc::make_mut(&mut self.record);
        record.texts = record.texts.with_user(user);
        self
    }

    /// The order of every listing: newest first, ties by id.
    pub fn listing_key(&self) -> (Reverse<u64>, TokenId) {
        (Reverse(self.record.created_at_ms), self.record.id)
    }
}

impl<'a> From<&'a Token> for TokenRef<'a> {
    fn from(Token { record, details, last_access_ms, revoked }: &'a Token) -> Self {
        Self { record, details, last_access_ms: *last_access_ms, revoked: *revoked }
    }
}

impl From<TokenRef<'_>> for Token {
    fn from(TokenRef { record, details, last_access_ms, revoked }: TokenRef<'_>) -> Self {
        Self { record: record.clone(), details: details.clone(), last_access_ms, revoked }
    }
}
