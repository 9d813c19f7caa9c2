//! Who is behind a valid token.

use std::sync::Arc;

use crate::model::takeover::ActiveTakeover;
use crate::model::token::TokenRecord;
use crate::token_string::TokenId;

/// What a valid token says about its request, at the time of the validation. During a takeover the request acts as one
/// user and another one has logged in.
#[derive(Clone, Debug)]
pub struct Identity {
    record: Arc<TokenRecord>,
    now_ms: u64,
}

impl Identity {
    pub(crate) fn new(record: Arc<TokenRecord>, now_ms: u64) -> Self {
        Self { record, now_ms }
    }

    /// As whom the request acts: the user taken over while a takeover is under way, else the one who logged in. `/auth`
    /// answers it as `X-Auth-User`.
    pub fn user(&self) -> &str {
        self.record.effective_user(self.now_ms)
    }

    /// Who logged in, also during a takeover: `X-Auth-Actor`.
    pub fn actor(&self) -> &str {
        self.record.user()
    }

    /// The takeover under way.
    pub fn takeover(&self) -> Option<&ActiveTakeover> {
        self.record.active_takeover(self.now_ms)
    }

    /// The token's public name.
    pub fn token_id(&self) -> TokenId {
        self.record.id
    }

    /// The kind of token.
    pub fn auth_slug(&self) -> Option<&str> {
        self.record.auth_slug()
    }

    /// What authenticated the user.
    pub fn backend(&self) -> Option<&str> {
        self.record.backend()
    }

    /// The device key that logged the token in, by its uuid.
    pub fn device(&self) -> Option<&str> {
        self.record.device()
    }

    /// Until when this holds unless the token is renewed or revoked, in milliseconds since the Unix epoch: the earlier of
    /// the token's expiry and the takeover's end.
    pub fn ends_at_ms(&self) -> u64 {
        self.record.identity_ends_at_ms(self.now_ms)
    }

    /// The record that was judged. Its `user` is the actor.
    pub fn record(&self) -> &Arc<TokenRecord> {
        &self.record
    }
}
