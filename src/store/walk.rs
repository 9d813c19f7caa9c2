//! A walk over all tokens of the store, page by page.

use std::sync::Arc;

use crate::model::token::TokenRecord;

/// How long a node may hold the walk without a step: then another node takes over.
pub const WALK_LEASE_MS: u64 = 10_000;

/// Some tokens.
#[derive(Default)]
pub struct WalkPage {
    /// The records of the tokens, also of revoked and expired ones. A token may be in several pages.
    pub tokens: Vec<Arc<TokenRecord>>,
    /// How many keys were looked at.
    pub keys: u64,
    /// Whether the walk is over.
    pub is_last: bool,
    /// Whether the walk has seen every token that was there during all of it. False if the masters or their slots changed
    /// meanwhile: tokens that moved may have been missed.
    pub has_seen_all: bool,
}
