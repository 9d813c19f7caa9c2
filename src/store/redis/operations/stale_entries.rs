//! Removing stale entries from the reverse index.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use redis::Value;
use serde::Serialize;

use super::script_call::{CALLS_AT_ONCE, ScriptCall};
use crate::model::takeover::TakeoverId;
use crate::model::token::RelatedObject;
use crate::store::redis::cluster::pool::Priority;
use crate::store::redis::cluster::slots::slot_of_tag;
use crate::store::redis::redis_store::RedisStore;
use crate::store::redis::schema::codec::primitives::{bytes, unpack};
use crate::store::redis::schema::codec::takeover::reverse_index_member;
use crate::store::redis::schema::keys::ObjectName;
use crate::token_string::{HashTag, TokenId};

/// An entry is young for this long, and may then be of a token that is just being written: far longer than two operations
/// take.
pub(crate) const YOUNG_ENTRY_SECONDS: u64 = 60;
/// Entries in one script call: few enough to hold the server for well under a millisecond.
const ENTRIES_PER_CALL: usize = 128;

/// What `finish` in lua/shared/events.lua packs. Of tokens: locator, content type, object id, whether the token is revoked.
/// Entries of takeovers: the token's locator, the takeover's locator, the user taken over, whether its record is gone.
pub(crate) type PackedStaleEntries =
    (Vec<(String, String, String, bool)>, Vec<(String, String, String, bool)>);

/// An entry of the reverse index that is stale, or may be.
pub(crate) enum StaleEntry {
    /// A token of an object.
    Token {
        object: ObjectName,
        id: TokenId,
        /// If not, the token only does not name the object, and may be about to.
        is_revoked: bool,
    },
    /// A takeover of a user.
    Takeover {
        user: String,
        token: TokenId,
        takeover: TakeoverId,
        /// Until when the record of the takeover is kept; 0 without a record.
        kept_until_ms: u64,
    },
}

impl StaleEntry {
    /// Decodes the entries that a script reports. `hash_tag` is in the keys of the script's tokens.
    pub(crate) fn unpack(
        hash_tag: HashTag,
        (tokens, takeovers): PackedStaleEntries,
        ended_kept_until_ms: u64,
    ) -> Option<Vec<Self>> {
        let tokens = tokens.into_iter().map(|(locator, content_type, object_id, is_revoked)| {
            let object = ObjectName::of(&RelatedObject { content_type, object_id });
            Some(Self::Token { object, id: TokenId::from_locator(hash_tag, &locator)?, is_revoked })
        });
        let takeovers = takeovers.into_iter().map(|(token, takeover, user, is_gone)| {
            let token = TokenId::from_locator(hash_tag, &token)?;
            let takeover = TakeoverId::from_locator(hash_tag, &takeover)?;
            let kept_until_ms = if is_gone { 0 } else { ended_kept_until_ms };
            Some(Self::Takeover { user, token, takeover, kept_until_ms })
        });
        tokens.chain(takeovers).collect()
    }

    /// Returns the entries of a revoked token's related objects: those in its fields r and q, which follow each other in the
    /// script's answer. A garbled field has none.
    pub(crate) fn of_revoked(id: TokenId, fields: &[Value]) -> Vec<Self> {
        let [related, taken] = fields else { return Vec::new() };
        let related: Vec<(String, String)> = unpack(bytes(related)).unwrap_or_default();
        let taken: Vec<(String, String, u64)> = unpack(bytes(taken)).unwrap_or_default();
        let names =
            related.into_iter().chain(taken.into_iter().map(|(of_type, object, _)| (of_type, object)));
        let entry = |(content_type, object_id)| {
            let object = ObjectName::of(&RelatedObject { content_type, object_id });
            Self::Token { object, id, is_revoked: true }
        };
        names.map(entry).collect()
    }

    /// The token that the entry names.
    pub(crate) fn token(&self) -> &TokenId {
        match self {
            Self::Token { id, .. } => id,
            Self::Takeover { token, .. } => token,
        }
    }

    /// The hash tag of the entry's key.
    fn hash_tag(&self) -> HashTag {
        match self {
            Self::Token { object, .. } => object.hash_tag,
            Self::Takeover { user, .. } => HashTag::of_user(user),
        }
    }
}

/// The arguments of lua/remove_stale_entries.lua.
#[derive(Default, Serialize)]
struct RemoveArgs<'a> {
    tokens: Vec<(String, &'a str, String, bool)>,
    young_s: u64,
    takeovers: Vec<(String, &'a str, String, u64)>,
}

impl<'a> FromIterator<&'a StaleEntry> for RemoveArgs<'a> {
    fn from_iter<T: IntoIterator<Item = &'a StaleEntry>>(entries: T) -> Self {
        let mut args = Self { young_s: YOUNG_ENTRY_SECONDS, ..Self::default() };
        for entry in entries {
            let hash_tag = entry.hash_tag().to_string();
            match entry {
                StaleEntry::Token { object, id, is_revoked } => {
                    args.tokens.push((hash_tag, &object.name, id.to_string(), *is_revoked));
                }
                StaleEntry::Takeover { user, token, takeover, kept_until_ms } => {
                    let member = reverse_index_member(*token, *takeover);
                    args.takeovers.push((hash_tag, user, member, *kept_until_ms));
                }
            }
        }
        args
    }
}

impl RedisStore {
    /// Removes entries that are stale. Entries on a server that is away stay: they do no harm, and expire.
    pub(crate) async fn remove_stale_entries(&self, priority: Priority, entries: &[StaleEntry], now_ms: u64) {
        let (is_by_slot, call) = (self.topology.map().is_by_slot(), self.advancing_call(&now_ms.into()));
        let mut by_slot: BTreeMap<u16, Vec<&StaleEntry>> = BTreeMap::new();
        for entry in entries {
            let slot = if is_by_slot { slot_of_tag(entry.hash_tag()) } else { 0 };
            by_slot.entry(slot).or_default().push(entry);
        }
        let chunks: Vec<_> = by_slot.values().flat_map(|entries| entries.chunks(ENTRIES_PER_CALL)).collect();
        for some in chunks.chunks(CALLS_AT_ONCE) {
            let now_ms = call().now_ms;
            join_all(some.iter().map(|entries| self.remove_in_slot(priority, entries, now_ms))).await;
        }
    }

    /// Removes the entries of a token that was refused or revoked from these objects.
    pub(crate) async fn remove_token_entries(&self, id: TokenId, objects: &[RelatedObject], now_ms: u64) {
        let stale = |object| StaleEntry::Token { object: ObjectName::of(object), id, is_revoked: true };
        let stale: Vec<_> = objects.iter().map(stale).collect();
        self.remove_stale_entries(Priority::Normal, &stale, now_ms).await;
    }

    async fn remove_in_slot(&self, priority: Priority, entries: &[&StaleEntry], now_ms: u64) {
        let Some(first) = entries.first() else { return };
        let key = match first {
            StaleEntry::Token { object, .. } => self.keys.related_by_name(object),
            StaleEntry::Takeover { user, .. } => self.keys.taken_over(user),
        };
        let args: RemoveArgs<'_> = entries.iter().copied().collect();
        let at = (key, first.hash_tag());
        let call = ScriptCall::new(&self.scripts.remove_stale_entries, at, &now_ms.into(), &args);
        if let Err(error) = self.call_script(&call.with_priority(priority)).await {
            tracing::debug!(%error, "stale index entries not removed");
        }
    }
}
