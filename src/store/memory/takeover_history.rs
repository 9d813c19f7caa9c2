//! The takeovers of each token, and the reverse index by the user taken over.

use std::collections::HashMap;

use crate::model::takeover::{NewTakeover, Takeover, TakeoverId};
use crate::token_string::TokenId;

/// The takeovers of a token.
pub(crate) struct TakeoverHistory {
    pub(crate) actor: String,
    pub(crate) token_expires_at_ms: u64,
    /// The takeovers, in the order in which they began.
    pub(crate) takeovers: Vec<StartedTakeover>,
}

/// A takeover as it was started, and when it was ended.
pub(crate) struct StartedTakeover {
    pub(crate) new: NewTakeover,
    pub(crate) created_at_ms: u64,
    pub(crate) ended_at_ms: Option<u64>,
}

/// The reverse index: by the user taken over.
pub(crate) type TakenOver = HashMap<String, Vec<TakenOverEntry>>;

/// A reverse-index entry: this token took the user over.
pub(crate) struct TakenOverEntry {
    pub(crate) token: TokenId,
    pub(crate) takeover: TakeoverId,
    pub(crate) kept_until_ms: u64,
}

impl TakeoverHistory {
    /// The takeovers as they are at `now_ms`.
    pub(crate) fn shown(&self, now_ms: u64) -> impl Iterator<Item = Takeover> {
        self.takeovers.iter().map(move |record| {
            let NewTakeover { id, token, user, reason, ends_at_ms } = record.new.clone();
            let (actor, created_at_ms) = (self.actor.clone(), record.created_at_ms);
            let expires_at_ms = self.token_expires_at_ms;
            let ended_at_ms =
                Takeover::end(created_at_ms, record.ended_at_ms, ends_at_ms, expires_at_ms, now_ms);
            Takeover { id, token, actor, user, reason, created_at_ms, ends_at_ms, ended_at_ms }
        })
    }
}

/// Prunes the entries of takeovers that no call can see any more.
pub(crate) fn prune_entries(taken_over: &mut TakenOver, now_ms: u64) {
    taken_over.retain(|_, entries| {
        entries.retain(|entry| entry.kept_until_ms > now_ms);
        !entries.is_empty()
    });
}
