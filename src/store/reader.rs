//! Reads for validation.

use super::read::Read;
use std::sync::Arc;

use super::error::StoreError;
use super::memory::MemoryStore;
use super::redis::redis_store as redis;
use crate::model::token::record::{TokenRecord, TokenView};
use crate::store::cache::near_cache::Looked;
use crate::token_string::TokenId;

/// Reads credentials on the hot path.
pub enum Reader {
    /// From the embedded store.
    Memory(Arc<MemoryStore>),
    /// Over a connection of the runtime's own.
    Redis(redis::RedisReader),
}

impl Reader {
    /// What `use_it` makes of the record of this id as far as it is known without waiting: of `Some(None)` when it
    /// is known that there is none. It must be short and not come back to the store: the record is held still. It says
    /// whether a record in the near cache answered the look-up.
    pub fn look<R>(
        &self,
        id: TokenId,
        use_it: impl FnOnce(Option<Option<&Arc<TokenRecord>>>) -> Looked<R>,
    ) -> R {
        match self {
            Self::Memory(store) => store.look(id, |record| use_it(Some(record))).outcome(),
            Self::Redis(reader) => reader.look(id, use_it),
        }
    }

    /// The same for each of these ids, with its place in the list: the whole list at the speed of memory.
    pub fn look_each(
        &self,
        ids: &[TokenId],
        mut use_it: impl FnMut(usize, Option<Option<&Arc<TokenRecord>>>) -> Looked<()>,
    ) {
        match self {
            Self::Memory(store) => {
                let use_it =
                    |(at, id): (usize, &TokenId)| store.look(*id, |known| use_it(at, Some(known)).outcome());
                ids.iter().enumerate().for_each(use_it);
            }
            Self::Redis(reader) => reader.look_each(ids, use_it),
        }
    }

    /// The record of this id as far as it is known without waiting: `Some(None)` when it is known that
    /// there is none.
    pub fn known_record(&self, id: TokenId) -> Option<Option<Arc<TokenRecord>>> {
        match self {
            Self::Memory(store) => Some(store.record(id)),
            Self::Redis(reader) => reader.known_record(id),
        }
    }

    /// The record of this id, whatever its state; `None` when there is no such token.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn record(&self, id: TokenId) -> Result<Option<Arc<TokenRecord>>, StoreError> {
        Ok(self.read(id).await?.record)
    }

    /// The same, and whether it is fresh.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn read(&self, id: TokenId) -> Result<Read, StoreError> {
        match self {
            Self::Memory(store) => Ok(Read { record: store.record(id), is_fresh: true }),
            Self::Redis(reader) => reader.record(id).await,
        }
    }

    /// The whole token of this id as far as it is known without waiting: `Some(None)` when it is known that there
    /// is no active one.
    pub fn known_view(&self, id: TokenId) -> Option<Option<TokenView>> {
        match self {
            Self::Memory(store) => Some(store.view(id)),
            Self::Redis(reader) => reader.known_view(id),
        }
    }

    /// The whole token of this id, unless there is none or it has ended. Look-ups that are awaited together go to
    /// the store together.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn view(&self, id: TokenId) -> Result<Option<TokenView>, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.view(id)),
            Self::Redis(reader) => reader.view(id).await,
        }
    }

    /// The record of this id as the store has it after this call began, whatever was known here.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn fresh_record(&self, id: TokenId) -> Result<Option<Arc<TokenRecord>>, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.record(id)),
            Self::Redis(reader) => reader.fresh_record(id).await,
        }
    }

    /// What is known of this id while the store cannot be asked and the `stale-grace` lasts. It may only let pass: what it
    /// refuses may have changed meanwhile.
    pub fn stale_record(&self, id: TokenId) -> Option<Arc<TokenRecord>> {
        match self {
            Self::Memory(_) => None,
            Self::Redis(reader) => reader.stale_record(id),
        }
    }

    /// Whether this record, read from the store and expired, may have been renewed all the same by another node that
    /// could not reach the store in time and has not written that yet.
    pub fn may_be_renewed(&self, record: &TokenRecord, now_ms: u64) -> bool {
        match self {
            Self::Memory(_) => false,
            Self::Redis(reader) => reader.may_be_renewed(record, now_ms),
        }
    }

    /// Lets the record know the last access that the store knows of; where views have it already, nothing.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn learn_last_access(&self, record: &TokenRecord) -> Result<(), StoreError> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Redis(reader) => reader.learn_last_access(record).await,
        }
    }
}
