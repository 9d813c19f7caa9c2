//! Reads token records for validation: from the near cache, else from the server.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::node_cache::NodeCache;
use super::read_router::ReadRouter;
use super::request::{Extent, ServerIdentity};
use crate::foreign::ForeignDigest;
use crate::model::token::{KnownRecord, Token, TokenRecord};
use crate::store::cache::Looked;
use crate::store::error::StoreError;
use crate::store::record_read::RecordRead;
use crate::token_string::{SecretHash, TokenId};

/// Reads token records for validation. Belongs to the runtime it was created on; clones share its connections.
#[derive(Clone)]
pub struct RedisReader {
    router: Arc<ReadRouter>,
    node_cache: Arc<NodeCache>,
}

impl RedisReader {
    pub(crate) fn new(router: Arc<ReadRouter>, node_cache: Arc<NodeCache>) -> Self {
        Self { router, node_cache }
    }

    pub(crate) fn look<R>(
        &self,
        id: TokenId,
        boottime_ms: u64,
        use_it: impl FnOnce(Option<Option<KnownRecord<'_>>>) -> Looked<R>,
    ) -> R {
        match &self.node_cache.cache {
            Some(cache) => cache.look_held(&id, boottime_ms, |known, held| {
                let known = known.map(|known| known.as_ref().map(|record| KnownRecord::new(record, held)));
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
        let Some(cache) = &self.node_cache.cache else {
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
        cache.look_each(ids, self.node_cache.clock.boottime_ms(), fetch, |at, known| {
            use_it(at, known.map(Option::as_ref))
        });
    }

    pub(crate) fn known_record(&self, id: TokenId) -> Option<Option<Arc<TokenRecord>>> {
        self.node_cache.cache.as_ref()?.get(&id, self.node_cache.clock.boottime_ms())
    }

    pub(crate) async fn record(&self, id: TokenId) -> Result<RecordRead, StoreError> {
        self.look_up(id, Extent::Hot).await
    }

    /// Reads past the cache. If the cached record turns out to be the same, returns that copy and leaves it cached, so a
    /// request with a wrong secret does not evict its owner's record.
    pub(crate) async fn fresh_record(&self, id: TokenId) -> Result<Option<Arc<TokenRecord>>, StoreError> {
        let (fresh, _) = self.read(id, Extent::Hot).await?;
        let Some(cache) = &self.node_cache.cache else { return Ok(fresh) };
        match cache.peek(&id, self.node_cache.clock.boottime_ms()) {
            Some(known) if known == fresh => Ok(known),
            Some(_) => {
                // The invalidation of the cached record is still on its way, or was lost.
                cache.invalidate(&id);
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
        // A validation has cached the record, without the details.
        let (fresh, server) = self.read(id, Extent::Whole).await?;
        let token = fresh.filter(|fresh| fresh.is_active).and_then(Token::of_cached);
        // Like the entry itself, the details may be kept only if the tracked server answered.
        if let Some(token) = token.as_ref().filter(|_| self.node_cache.tracked(&server).is_some()) {
            known.details.get_or_init(|| token.details.clone());
        }
        Ok(token)
    }

    /// Tells the record the last access that the store knows of.
    pub(crate) async fn learn_last_access(&self, record: &TokenRecord) -> Result<(), StoreError> {
        if let Some(access_ms) = self.router.last_access_ms(record).await? {
            record.accesses.learn(access_ms);
        }
        Ok(())
    }

    /// Reads a record from its master.
    async fn read(
        &self,
        id: TokenId,
        extent: Extent,
    ) -> Result<(Option<Arc<TokenRecord>>, Arc<ServerIdentity>), StoreError> {
        let (mut record, server) = self.router.read(id, extent).await?;
        if let (false, Some(record)) = (self.node_cache.takeovers, &mut record)
            && record.takeover.is_some()
        {
            Arc::make_mut(record).takeover = None;
        }
        // Redis may have lost the revocation, and no node has merged it yet.
        if let Some(record) = &mut record
            && self.node_cache.replay.is_revoked(&id)
        {
            Arc::make_mut(record).is_active = false;
        }
        Ok((record, server))
    }

    async fn look_up(&self, id: TokenId, extent: Extent) -> Result<RecordRead, StoreError> {
        self.node_cache.store_clock.require_known()?;
        let Some(cache) = &self.node_cache.cache else {
            let (record, _) = self.read(id, extent).await?;
            return Ok(RecordRead { record, is_fresh: true });
        };
        let is_fresh = AtomicBool::new(false);
        let read = async || {
            let (record, server) = self.read(id, extent).await?;
            is_fresh.store(true, Ordering::Relaxed);
            Ok((record, self.node_cache.tracked(&server)))
        };
        // Boxed, so that the future of a look-up without a cache is no larger for it.
        let read = cache.get_or_read(&id, self.router.server_of(id), &self.node_cache.clock, read);
        let record = Box::pin(read).await?;
        Ok(RecordRead { record, is_fresh: is_fresh.into_inner() })
    }

    pub(crate) fn known_alias(&self, digest: &ForeignDigest) -> Option<Option<TokenId>> {
        self.node_cache.aliases.known(digest)
    }

    pub(crate) fn forget_alias(&self, secret_hash: &SecretHash) {
        self.node_cache.aliases.forget(secret_hash);
    }

    pub(crate) async fn alias(
        &self,
        digests: Box<[ForeignDigest]>,
        client: Option<IpAddr>,
    ) -> Result<Option<(usize, TokenId)>, StoreError> {
        let router = self.router.clone();
        let read = move |digest| {
            let router = router.clone();
            async move { router.alias(digest).await }
        };
        self.node_cache.aliases.look_up(digests, client, read).await
    }

    pub(crate) fn stale_record(&self, id: TokenId) -> Option<Arc<TokenRecord>> {
        self.node_cache.cache.as_ref()?.get_stale(&id, self.node_cache.clock.boottime_ms())?
    }

    pub(crate) fn is_settling(&self, id: TokenId) -> bool {
        self.router.is_settling(id)
    }

    pub(crate) fn may_be_renewed(&self, record: &TokenRecord, now_ms: u64) -> bool {
        let expired_for_ms = now_ms.saturating_sub(record.expires_at_ms);
        self.node_cache.may_be_renewed(self.router.server_of(record.id), expired_for_ms)
    }
}
