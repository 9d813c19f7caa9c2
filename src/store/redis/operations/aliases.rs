//! Aliases: the ids of imported tokens, by their foreign strings. Validation reads them in the pipelines of `lookup`.

use redis::cmd;

use crate::foreign::ForeignDigest;
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::alias;
use crate::token_string::TokenId;

impl RedisStore {
    pub(crate) async fn alias(&self, digest: &ForeignDigest) -> Result<Option<TokenId>, StoreError> {
        let get = cmd("GET").arg(self.keys.alias(digest)).to_owned();
        let stored: Option<Vec<u8>> = self.with_connection(async |c| get.query_async(c).await).await?;
        stored.map(|stored| alias::decode(&stored)).transpose()
    }

    pub(crate) async fn put_alias(
        &self,
        digest: &ForeignDigest,
        id: TokenId,
        until_ms: u64,
        call: &Call<'_>,
    ) -> Result<(), StoreError> {
        let left_ms = until_ms.saturating_sub(call.now_ms);
        if left_ms == 0 {
            return Ok(());
        }
        let (key, value) = (self.keys.alias(digest), id.text());
        let set = cmd("SET").arg(&key).arg(value.as_str()).arg("PX").arg(left_ms).to_owned();
        self.with_connection::<()>(async |c| set.query_async(c).await).await?;
        self.node_cache.aliases.learn(digest, id);
        Ok(())
    }
}
