//! Counts live tokens.

use super::memory_store::MemoryStore;
use super::shard::lock;
use crate::store::live_tokens::LiveTokens;

impl MemoryStore {
    /// Counts the live tokens, one shard after the other, so that no call waits for long.
    pub(crate) fn count_live_tokens(&self, now_ms: u64) -> LiveTokens {
        let (mut live, mut tokens) = (0, 0);
        for shard in &self.shards {
            let shard = lock(shard);
            live += shard.tokens.values().filter(|token| token.record.is_live(now_ms)).count();
            tokens += shard.tokens.len();
        }
        LiveTokens::counted(live as u64, tokens as u64)
    }
}
