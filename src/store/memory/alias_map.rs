//! The aliases of a shard.

use std::collections::HashMap;

use crate::foreign::{AliasName, ForeignDigest};
use crate::token_string::TokenId;

/// The ids of imported tokens, each with the time until which it is kept.
#[derive(Default)]
pub(crate) struct AliasMap(HashMap<AliasName, (TokenId, u64)>);

impl AliasMap {
    pub(crate) fn get(&self, digest: &ForeignDigest, now_ms: u64) -> Option<TokenId> {
        self.0.get(&digest.alias_name()).filter(|(_, until_ms)| *until_ms > now_ms).map(|(id, _)| *id)
    }

    /// Keeps an alias. Returns whether there was none of this digest.
    pub(crate) fn put(&mut self, digest: &ForeignDigest, id: TokenId, until_ms: u64) -> bool {
        self.0.insert(digest.alias_name(), (id, until_ms)).is_none()
    }

    /// Removes the expired ones, and returns how many there were.
    pub(crate) fn prune(&mut self, now_ms: u64) -> usize {
        let before = self.0.len();
        self.0.retain(|_, (_, until_ms)| *until_ms > now_ms);
        before - self.0.len()
    }
}
