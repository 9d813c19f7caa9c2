//! A user's events.

use redis::cmd;

use crate::model::event::Event;
use crate::store::error::StoreError;
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::event as codec;
use crate::token_string::HashTag;

impl RedisStore {
    pub(crate) async fn user_events(&self, user: &str, now_ms: u64) -> Result<Vec<Event>, StoreError> {
        let _permit = self.listing_permit().await?;
        let hash_tag = HashTag::of_user(user);
        let range = cmd("LRANGE").arg(self.keys.events(user)).arg(0).arg(-1).to_owned();
        let packed: Vec<Vec<u8>> = self.with_connection(async |c| range.query_async(c).await).await?;
        let is_kept = |event: &Event| event.at_ms.saturating_add(self.limits.event_retention_ms) > now_ms;
        Ok(packed.iter().filter_map(|packed| codec::event(hash_tag, packed)).filter(is_kept).collect())
    }
}
