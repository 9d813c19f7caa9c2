//! The identity behind a valid token.

use std::sync::Arc;

use crate::model::takeover::ActiveTakeover;
use crate::model::token::{KeptRecord, TokenRecord};
use crate::token_string::TokenId;

/// The identity behind a valid token, at the time of the validation. During a takeover, `user` and `actor` differ.
#[derive(Clone, Debug)]
pub struct Identity {
    record: KeptRecord,
    now_ms: u64,
}

impl Identity {
    pub(crate) fn new(record: KeptRecord, now_ms: u64) -> Self {
        Self { record, now_ms }
    }

    /// The user that the request acts as: the taken-over user during a takeover, else the actor. `X-Auth-User` of `/auth`.
    pub fn user(&self) -> &str {
        self.record.effective_user(self.now_ms)
    }

    /// The user who logged in. `X-Auth-Actor` of `/auth`.
    pub fn actor(&self) -> &str {
        self.record.user()
    }

    /// The takeover under way.
    pub fn takeover(&self) -> Option<&ActiveTakeover> {
        self.record.active_takeover(self.now_ms)
    }

    /// The token's public id.
    pub fn token_id(&self) -> TokenId {
        self.record.id
    }

    /// The kind of token.
    pub fn auth_slug(&self) -> Option<&str> {
        self.record.auth_slug()
    }

    /// The back end that authenticated the user.
    pub fn backend(&self) -> Option<&str> {
        self.record.backend()
    }

    /// The scopes: what the application may let the holder do.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.record.scopes()
    }

    /// The uuid of the device key that logged in.
    pub fn device(&self) -> Option<&str> {
        self.record.device()
    }

    /// When the identity ends, unless the token is renewed or revoked, in milliseconds since the Unix epoch: the earlier of the
    /// token's expiry and the takeover's end.
    pub fn ends_at_ms(&self) -> u64 {
        self.record.identity_ends_at_ms(self.now_ms)
    }

    /// The token record. Its `user` is the actor.
    pub fn record(&self) -> &Arc<TokenRecord> {
        &self.record
    }
}
