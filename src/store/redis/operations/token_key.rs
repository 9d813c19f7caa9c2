//! The token key that all nodes share.

use redis::cmd;

use crate::store::error::StoreError;
use crate::store::redis::cluster::pool::Priority;
use crate::store::redis::errors::answer_text;
use crate::store::redis::redis_store::RedisStore;

impl RedisStore {
    /// Returns the shared token key. If it is missing, `proposed` becomes it, unless another node is first.
    pub(crate) async fn shared_token_key(&self, proposed: &str) -> Result<String, StoreError> {
        // Reads first: with a full memory, SET is refused even if it would change nothing.
        if let Some(existing) = self.stored_token_key().await? {
            return Ok(existing);
        }
        let key = self.keys.token_key();
        let set = cmd("SET").arg(&key).arg(proposed).arg("NX").arg("GET").to_owned();
        let existing: Option<Vec<u8>> = self.with_connection(async |c| set.query_async(c).await).await?;
        let kept =
            existing.map_or_else(|| Ok(proposed.to_owned()), |existing| answer_text(existing, &key))?;
        self.replay.remember_token_key(Some(&kept));
        Ok(kept)
    }

    pub(crate) async fn stored_token_key(&self) -> Result<Option<String>, StoreError> {
        let key = self.keys.token_key();
        let get = cmd("GET").arg(&key).to_owned();
        let stored = self.with_connection_for(Priority::Urgent, async |c| get.query_async(c).await).await;
        let with_key = |error| match error {
            StoreError::Corrupt { reason, .. } => StoreError::Corrupt { key: key.clone(), reason },
            error => error,
        };
        let stored: Option<Vec<u8>> = stored.map_err(with_key)?;
        let stored = stored.map(|stored| answer_text(stored, &key)).transpose()?;
        self.replay.remember_token_key(stored.as_deref());
        Ok(stored)
    }
}
