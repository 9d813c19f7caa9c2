//! Aliases: the ids of imported tokens, by their foreign strings. The alias's own hash tag decides its shard, not the
//! user's.

use std::sync::atomic::Ordering;

use super::memory_store::MemoryStore;
use crate::foreign::ForeignDigest;
use crate::store::call::Call;
use crate::token_string::TokenId;

impl MemoryStore {
    pub(crate) fn alias(&self, digest: &ForeignDigest, now_ms: u64) -> Option<TokenId> {
        self.shard(digest.alias_hash_tag()).aliases.get(digest, now_ms)
    }

    pub(crate) fn put_alias(&self, digest: &ForeignDigest, id: TokenId, until_ms: u64, call: &Call<'_>) {
        if until_ms > call.now_ms {
            let is_new = self.shard(digest.alias_hash_tag()).aliases.put(digest, id, until_ms);
            self.aliases.fetch_add(usize::from(is_new), Ordering::Relaxed);
        }
    }
}
