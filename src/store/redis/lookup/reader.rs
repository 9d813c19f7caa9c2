//! Reads credentials for validation: from the near cache, else from the server in a pipeline.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::near_cache::Near;
use super::request::Extent;
use super::router::LookUps;
use crate::model::token::{Token, TokenRecord};
use crate::store::cache::near_cache::Looked;
use crate::store::error::StoreError;
use crate::store::record_read::RecordRead;
use crate::token_string::TokenId;

/// See the module. Belongs to the runtime it was made on; clones share its connections.
#[derive(Clone)]
pub struct Reader {
    look_ups: Arc<LookUps>,
    near: Arc<Near>,
}

impl Reader {
    pub(crate) fn new(look_ups: Arc<LookUps>, near: Arc<Near>) -> Self {
        Self { look_ups, near }
    }

    pub(crate) fn look<R>(
        &self,
        id: TokenId,
        use_it: impl FnOnce(Option<Option<&Arc<TokenRecord>>>) -> Looked<R>,
    ) -> R {
        match &self.near.cache {
            Some(cache) => cache.look(&id, self.near.clock.boottime_ms(), |known| {
                let known = known.map(Option::as_ref);
                if let Some(record) = known.flatten() {
                    record.fetch();
                }
                use_it(known)
            }),
            None => use_it(None).outcome(),
        }
    }

    pub(crate) fn look_each(
        &self,
        ids: &[TokenId],
        mut use_it: impl FnMut(usize, Option<Option<&Arc<TokenRecord>>>) -> Looked<()>,
    ) {
        let Some(cache) = &self.near.cache else {
            return (0..ids.len()).for_each(|at| use_it(at, None).outcome());
        };
        let fetch = |known: &Option<Arc<TokenRecord>>| {
            if let Some(record) = known {
                record.fetch();
                if let Some(json) = record.json.get() {
                    json.fetch();
                }
            }
        };
        cache.look_each(ids, self.near.clock.boottime_ms(), fetch, |at, known| {
            use_it(at, known.map(Option::as_ref))
        });
    }

    pub(crate) fn known_record(&self, id: TokenId) -> Option<Option<Arc<TokenRecord>>> {
        self.near.cache.as_ref()?.get(&id, self.near.clock.boottime_ms())
    }

    pub(crate) async fn record(&self, id: TokenId) -> Result<RecordRead, StoreError> {
        self.look_up(id, Extent::Hot).await
    }

    /// Goes past the cache, and leaves what is known there if it turns out to be the same record: then it gives that
    /// copy. So a secret that this record does not know costs its owner nothing.
    pub(crate) async fn fresh_record(&self, id: TokenId) -> Result<Option<Arc<TokenRecord>>, StoreError> {
        let (fresh, _) = self.look_ups.read(id, Extent::Hot).await?;
        let Some(cache) = &self.near.cache else { return Ok(fresh) };
        match cache.peek(&id, self.near.clock.boottime_ms()) {
            Some(known) if known == fresh => Ok(known),
            Some(_) => {
                // The invalidation of the older record is still on its way, or was lost.
                cache.void(&id);
                Ok(fresh)
            }
            None => Ok(fresh),
        }
    }

    pub(crate) fn known_token(&self, id: TokenId) -> Option<Option<Token>> {
        match self.known_record(id)?.filter(|record| record.is_active) {
            None => Some(None),
            Some(record) => Token::of_cached(record).map(Some),
        }
    }

    pub(crate) async fn token(&self, id: TokenId) -> Result<Option<Token>, StoreError> {
        let read = self.look_up(id, Extent::Whole).await?;
        let Some(known) = read.record.filter(|known| known.is_active) else {
            return Ok(None);
        };
        if let Some(token) = Token::of_cached(known.clone()) {
            return Ok(Some(token));
        }
        // Put into the cache by a validation, which has no use for the rest.
        let (fresh, server) = self.look_ups.read(id, Extent::Whole).await?;
        let token = fresh.filter(|fresh| fresh.is_active).and_then(Token::of_cached);
        // Like the entry itself, it may only be kept on the word of the server that is tracked.
        if let Some(token) = token.as_ref().filter(|_| self.near.tracked(&server).is_some()) {
            known.details.get_or_init(|| token.details.clone());
        }
        Ok(token)
    }

    /// Lets the record know the last access that the store knows of.
    pub(crate) async fn learn_last_access(&self, record: &TokenRecord) -> Result<(), StoreError> {
        if let Some(access_ms) = self.look_ups.last_access_ms(record).await? {
            record.accesses.learn(access_ms);
        }
        Ok(())
    }

    async fn look_up(&self, id: TokenId, extent: Extent) -> Result<RecordRead, StoreError> {
        self.near.store_clock.require_known()?;
        let Some(cache) = &self.near.cache else {
            let (record, _) = self.look_ups.read(id, extent).await?;
            return Ok(RecordRead { record, is_fresh: true });
        };
        let is_fresh = AtomicBool::new(false);
        let read = async || {
            let (record, server) = self.look_ups.read(id, extent).await?;
            is_fresh.store(true, Ordering::Relaxed);
            Ok((record, self.near.tracked(&server)))
        };
        let record = cache.get_or_read(&id, self.look_ups.server_of(id), &self.near.clock, read).await?;
        Ok(RecordRead { record, is_fresh: is_fresh.into_inner() })
    }

    pub(crate) fn stale_record(&self, id: TokenId) -> Option<Arc<TokenRecord>> {
        self.near.cache.as_ref()?.get_stale(&id, self.near.clock.boottime_ms())?
    }

    pub(crate) fn may_be_renewed(&self, record: &TokenRecord, now_ms: u64) -> bool {
        let expired_for_ms = now_ms.saturating_sub(record.expires_at_ms);
        self.near.may_be_renewed(self.look_ups.server_of(record.id), expired_for_ms)
    }
}
