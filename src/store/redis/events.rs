//! What happened to a user; written by the scripts that made it happen (lua/prelude.lua).

use redis::cmd;

use super::RedisStore;
use super::codec::event as codec;
use crate::event::Event;
use crate::secret::ShardTag;
use crate::store::StoreError;

impl RedisStore {
    pub(in crate::store) async fn user_events(
        &self,
        user: &str,
        now_ms: u64,
    ) -> Result<Vec<Event>, StoreError> {
        let shard = ShardTag::of_user(user);
        let range = cmd("LRANGE").arg(self.keys.events(user)).arg(0).arg(-1).to_owned();
        let packed: Vec<Vec<u8>> = self.with_connection(async |c| range.query_async(c).await).await?;
        let is_kept = |event: &Event| event.at_ms.saturating_add(self.limits.event_retention_ms) > now_ms;
        Ok(packed.iter().filter_map(|packed| codec::event(shard, packed)).filter(is_kept).collect())
    }
}
