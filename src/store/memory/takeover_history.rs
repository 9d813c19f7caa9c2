//! The takeovers of a token, and who took a user over.

use crate::model::takeover::{NewTakeover, Takeover, TakeoverId};
use crate::token_string::TokenId;
use std::collections::HashMap;

/// The takeovers of a token.
pub(crate) struct History {
    pub(crate) actor: String,
    pub(crate) token_expires_at_ms: u64,
    /// In the order of their beginning.
    pub(crate) takeovers: Vec<Record>,
}

pub struct Record {
    pub(crate) new: NewTakeover,
    pub(crate) created_at_ms: u64,
    pub(crate) ended_at_ms: Option<u64>,
}

/// By the user taken over: where to look.
pub(crate) type TakenOver = HashMap<String, Vec<Hint>>;

/// That a token took a user over.
pub(crate) struct Hint {
    pub(crate) token: TokenId,
    pub(crate) takeover: TakeoverId,
    pub(crate) kept_until_ms: u64,
}

impl History {
    pub(crate) fn shown(&self, now_ms: u64) -> impl Iterator<Item = Takeover> {
        self.takeovers.iter().map(move |record| {
            let NewTakeover { id, token, user, reason, ends_at_ms } = record.new.clone();
            let ended_at_ms = Takeover::end(record.ended_at_ms, ends_at_ms, self.token_expires_at_ms, now_ms);
            let (actor, created_at_ms) = (self.actor.clone(), record.created_at_ms);
            Takeover { id, token, actor, user, reason, created_at_ms, ends_at_ms, ended_at_ms }
        })
    }
}

/// Removes the hints of what nobody can see any more.
pub(crate) fn prune_hints(taken_over: &mut TakenOver, now_ms: u64) {
    taken_over.retain(|_, hints| {
        hints.retain(|hint| hint.kept_until_ms > now_ms);
        !hints.is_empty()
    });
}
