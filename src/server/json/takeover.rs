//! The JSON object of a takeover.

use serde::Serialize;

use super::timestamp::timestamp;
use crate::model::takeover::{ActiveTakeover, Takeover};
use crate::model::token::TokenRecord;

/// A takeover. Its fields are described in docs/lifecycle.md.
#[derive(Serialize)]
pub struct TakeoverJson<'a> {
    id: String,
    token: String,
    actor: &'a str,
    user: &'a str,
    reason: Option<&'a str>,
    is_active: bool,
    created_at: String,
    /// The latest end; `ended_at` may come earlier.
    ends_at: String,
    ended_at: Option<String>,
}

impl<'a> TakeoverJson<'a> {
    /// Borrows a takeover of a history.
    pub fn of(takeover: &'a Takeover) -> Self {
        Self {
            id: takeover.id.to_string(),
            token: takeover.token.to_string(),
            actor: &takeover.actor,
            user: &takeover.user,
            reason: takeover.reason.as_deref(),
            is_active: takeover.ended_at_ms.is_none(),
            created_at: timestamp(takeover.created_at_ms),
            ends_at: timestamp(takeover.ends_at_ms),
            ended_at: takeover.ended_at_ms.map(timestamp),
        }
    }

    /// Borrows the active takeover of a token.
    pub fn of_active(takeover: &'a ActiveTakeover, token: &'a TokenRecord) -> Self {
        Self {
            id: takeover.id.to_string(),
            token: token.id.to_string(),
            actor: token.user(),
            user: &takeover.user,
            reason: takeover.reason.as_deref(),
            is_active: true,
            created_at: timestamp(takeover.created_at_ms),
            ends_at: timestamp(takeover.ends_at_ms),
            ended_at: None,
        }
    }
}
