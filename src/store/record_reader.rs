//! Reads token records for validation.

// Parameters that only Redis needs.
#![cfg_attr(not(feature = "redis"), allow(unused_variables))]

use std::net::IpAddr;
use std::sync::Arc;

use super::error::StoreError;
use super::memory::MemoryStore;
use super::record_read::RecordRead;
#[cfg(feature = "redis")]
use super::redis::redis_store as redis;
use crate::foreign::ForeignDigest;
use crate::model::token::{KnownRecord, Token, TokenRecord};
use crate::store::cache::near_cache::Looked;
use crate::store::on_store::on_store;
use crate::token_string::{SecretHash, TokenId};

/// Reads token records on the hot path.
pub enum RecordReader {
    /// Reads the embedded store.
    Memory(Arc<MemoryStore>),
    /// Over a connection of the runtime's own.
    #[cfg(feature = "redis")]
    Redis(redis::RedisReader),
}

impl RecordReader {
    /// Calls `use_it` with the record of this id as far as it is known without waiting: `Some(None)` if it is known that
    /// no such token exists. `use_it` runs under the cache's lock: keep it short and do not call the store. It returns whether the
    /// cached record answered the look-up. `boottime_ms` was read for this look-up.
    pub fn look<R>(
        &self,
        id: TokenId,
        boottime_ms: u64,
        use_it: impl FnOnce(Option<Option<KnownRecord<'_>>>) -> Looked<R>,
    ) -> R {
        on_store!(match self {
            Self::Memory(store) =>
                store.look(id, |record| use_it(Some(record.map(KnownRecord::from)))).outcome(),
            Self::Redis(reader) => reader.look(id, boottime_ms, use_it),
        })
    }

    /// Calls `use_it` for each of these ids, with its place in the list. Fetches the records of the whole list at once.
    pub fn look_each(
        &self,
        ids: &[TokenId],
        mut use_it: impl FnMut(usize, Option<Option<&Arc<TokenRecord>>>) -> Looked<()>,
    ) {
        on_store!(match self {
            Self::Memory(store) => {
                let use_it =
                    |(at, id): (usize, &TokenId)| store.look(*id, |known| use_it(at, Some(known)).outcome());
                ids.iter().enumerate().for_each(use_it);
            }
            Self::Redis(reader) => reader.look_each(ids, use_it),
        })
    }

    /// Returns the record of this id as far as it is known without waiting: `Some(None)` if it is known not to
    /// exist.
    pub fn known_record(&self, id: TokenId) -> Option<Option<Arc<TokenRecord>>> {
        on_store!(match self {
            Self::Memory(store) => Some(store.record(id)),
            Self::Redis(reader) => reader.known_record(id),
        })
    }

    /// Reads the record of this id, in any state; `None` if there is no such token.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn record(&self, id: TokenId) -> Result<Option<Arc<TokenRecord>>, StoreError> {
        Ok(self.read(id).await?.record)
    }

    /// Reads the record of this id, and says whether it is fresh.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn read(&self, id: TokenId) -> Result<RecordRead, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(RecordRead { record: store.record(id), is_fresh: true }),
            Self::Redis(reader) => reader.record(id).await,
        })
    }

    /// Returns the active token of this id as far as it is known without waiting: `Some(None)` if it is known that there is
    /// none.
    pub fn known_token(&self, id: TokenId) -> Option<Option<Token>> {
        on_store!(match self {
            Self::Memory(store) => Some(store.active_token(id)),
            Self::Redis(reader) => reader.known_token(id),
        })
    }

    /// Reads the active token of this id. Reads that are awaited together go to the store together.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn token(&self, id: TokenId) -> Result<Option<Token>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.active_token(id)),
            Self::Redis(reader) => reader.token(id).await,
        })
    }

    /// Reads the record of this id from the store, past the cache.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn fresh_record(&self, id: TokenId) -> Result<Option<Arc<TokenRecord>>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.record(id)),
            Self::Redis(reader) => reader.fresh_record(id).await,
        })
    }

    /// Returns the token of the alias of this digest as far as it is known without waiting: `Some(None)` if it has had none
    /// within the last lease. `now_ms` is the time.
    pub fn known_alias(&self, digest: &ForeignDigest, now_ms: u64) -> Option<Option<TokenId>> {
        on_store!(match self {
            Self::Memory(store) => Some(store.alias(digest, now_ms)),
            Self::Redis(reader) => reader.known_alias(digest),
        })
    }

    /// Notes that the token of the alias with this secret is not there: the alias may have expired and been written again.
    pub fn forget_alias(&self, secret_hash: &SecretHash) {
        on_store!(match self {
            Self::Memory(_) => {}
            Self::Redis(reader) => reader.forget_alias(secret_hash),
        })
    }

    /// Reads the aliases of the digests of one string, which this client sent. Returns the place of the first digest that
    /// has an alias, and its token.
    ///
    /// # Errors
    /// `Unavailable`, also if too many strings without an alias were looked up; `Corrupt`.
    pub async fn alias(
        &self,
        digests: Box<[ForeignDigest]>,
        client: Option<IpAddr>,
        now_ms: u64,
    ) -> Result<Option<(usize, TokenId)>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => {
                let ids = digests.iter().map(|digest| store.alias(digest, now_ms)).enumerate();
                Ok(ids.into_iter().find_map(|(place, id)| Some((place, id?))))
            }
            Self::Redis(reader) => reader.alias(digests, client).await,
        })
    }

    /// Returns the cached record of this id while the store cannot be asked and the `stale-grace` lasts. It may admit a
    /// token and never refuse one: the record may have changed in the store.
    pub fn stale_record(&self, id: TokenId) -> Option<Arc<TokenRecord>> {
        on_store!(match self {
            Self::Memory(_) => None,
            Self::Redis(reader) => reader.stale_record(id),
        })
    }

    /// Whether this expired record of the store may have been renewed by a node that could not reach the store in time, and
    /// has not written the renewal yet.
    pub fn may_be_renewed(&self, record: &TokenRecord, now_ms: u64) -> bool {
        on_store!(match self {
            Self::Memory(_) => false,
            Self::Redis(reader) => reader.may_be_renewed(record, now_ms),
        })
    }

    /// Whether another node may be about to write a secret of this token that the store does not know.
    pub fn is_settling(&self, id: TokenId) -> bool {
        on_store!(match self {
            Self::Memory(_) => false,
            Self::Redis(reader) => reader.is_settling(id),
        })
    }

    /// Copies the stored last access to the record, unless the tokens of this store carry it already.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn learn_last_access(&self, record: &TokenRecord) -> Result<(), StoreError> {
        on_store!(match self {
            Self::Memory(_) => Ok(()),
            Self::Redis(reader) => reader.learn_last_access(record).await,
        })
    }
}
