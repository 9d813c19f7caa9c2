//! Imports tokens. An import at a time: a token and its alias are in different shards.

use std::sync::atomic::Ordering;

use super::memory_store::MemoryStore;
use super::shard::lock;
use crate::foreign::{ForeignDigest, UuidDigest};
use crate::model::device_key::{DeviceId, DeviceKey};
use crate::model::event::EventKind;
use crate::model::import::{ImportOutcome, MAX_USERS_PER_UUID, NewImport};
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::rejection::Rejection;
use crate::token_string::{HashTag, TokenId};
use crate::values::OverLimit;

impl MemoryStore {
    pub(crate) fn import(
        &self,
        imports: &[NewImport],
        is_dry: bool,
        call: &Call<'_>,
    ) -> Result<Vec<ImportOutcome>, StoreError> {
        let _one_at_a_time = lock(&self.importing);
        imports.iter().map(|import| self.import_one(import, is_dry, call)).collect()
    }

    fn import_one(
        &self,
        NewImport { token, digest }: &NewImport,
        is_dry: bool,
        call: &Call<'_>,
    ) -> Result<ImportOutcome, StoreError> {
        let (id, user) = (token.record.id, token.record.user());
        self.make_room_in_objects(&token.details.related_objects, call.now_ms);
        match self.alias(digest, call.now_ms) {
            Some(known) if known == id => return Ok(ImportOutcome::Exists),
            Some(_) => return Ok(ImportOutcome::OtherUser),
            None if self.aliases.load(Ordering::Relaxed) >= self.max_tokens => return Err(Self::full()),
            None => {}
        }
        let mut shard = self.shard(HashTag::of_user(user));
        let known = shard.tokens.get(&id).filter(|token| self.is_kept(token, call.now_ms));
        let (outcome, ends_at_ms) = if let Some(known) = known {
            (ImportOutcome::Exists, known.record.ends_at_ms)
        } else if shard.locked.contains(user) {
            return Ok(ImportOutcome::UserLocked);
        } else if is_dry {
            let live = shard.tokens_of(user).filter(|token| token.record.is_live(call.now_ms)).count();
            let has_room = live < self.limits.max_tokens_per_user;
            return Ok(if has_room { ImportOutcome::Imported } else { ImportOutcome::TooManyTokens });
        } else {
            let admitted =
                self.admit(&mut shard, token, (EventKind::TokenImported, OverLimit::RefuseNew), call)?;
            match admitted {
                Ok(_) => (ImportOutcome::Imported, token.record.ends_at_ms),
                Err(Rejection::ObjectFull) => return Ok(ImportOutcome::ObjectFull),
                Err(_) => return Ok(ImportOutcome::TooManyTokens),
            }
        };
        drop(shard);
        if !is_dry {
            self.put_alias(digest, id, ends_at_ms.saturating_add(self.limits.stale_grace_ms), call);
        }
        Ok(outcome)
    }

    pub(crate) fn alias(&self, digest: &ForeignDigest, now_ms: u64) -> Option<TokenId> {
        self.shard(digest.alias_hash_tag()).aliases.get(digest, now_ms)
    }

    pub(crate) fn put_alias(&self, digest: &ForeignDigest, id: TokenId, until_ms: u64, call: &Call<'_>) {
        if until_ms > call.now_ms {
            let is_new = self.shard(digest.alias_hash_tag()).aliases.put(digest, id, until_ms);
            self.aliases.fetch_add(usize::from(is_new), Ordering::Relaxed);
        }
    }

    pub(crate) fn device_entries(&self, digest: &UuidDigest, now_ms: u64) -> Vec<DeviceId> {
        self.shard(digest.hash_tag()).uuids.entries(digest, now_ms)
    }

    pub(crate) fn put_device_entry(
        &self,
        digest: &UuidDigest,
        entry: (DeviceId, u64),
        call: &Call<'_>,
    ) -> bool {
        self.shard(digest.hash_tag()).uuids.put(digest, entry, MAX_USERS_PER_UUID, call.now_ms)
    }

    pub(crate) fn devices_by_id(&self, ids: &[DeviceId]) -> Vec<DeviceKey> {
        ids.iter().filter_map(|id| self.shard(id.hash_tag()).devices.keys.get(id).cloned()).collect()
    }
}
