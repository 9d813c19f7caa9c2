//! Where tokens live. One enum with two variants, so that a caller never asks which it is.
//!
//! Every operation is atomic per user. Validity is judged by the caller's clock, passed in as `now_ms`.

pub mod cache;
pub mod memory;
pub mod redis;

use std::convert::Infallible;
use std::sync::Arc;

use crate::secret::TokenId;
use crate::token::{Credential, Token, TokenChange, TokenView, Touch};

use self::memory::MemoryStore;
use self::redis::RedisStore;

/// Why the store did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be asked at the moment, and whether a write was done is unknown. Ask again later.
    #[error("the store cannot be asked: {0}")]
    Unavailable(String),
    /// A record is not what this version writes. Asking again does not help; an operator has to look.
    #[error("the record of {key} is corrupt: {reason}")]
    Corrupt {
        /// The key or id of the record; no secret.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// What a store keeps to, whichever it is.
#[derive(Clone, Copy, Debug)]
pub struct StoreLimits {
    /// An ended token stays readable for this long.
    pub ended_retention_ms: u64,
    /// A user has at most this many live tokens, and at most as many ended ones that are still readable: one
    /// more ends the oldest, and forgets the oldest ended one.
    pub max_tokens_per_user: usize,
}

/// The store of a node.
#[derive(Clone)]
pub enum Store {
    /// Embedded: lives and dies with the process.
    Memory(Arc<MemoryStore>),
    /// Redis 7 or Valkey.
    Redis(Arc<RedisStore>),
}

/// The tokens that an operation ended or took away.
pub type Ended = Vec<TokenId>;

/// What came of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// No such token, or an expired one.
    NotFound,
    /// It was ended before; nothing changed. The token as it is.
    AlreadyEnded(Token),
    /// Done. The token as it is now.
    Done(Token),
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.name())
    }
}

impl Store {
    /// For the start-up line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Memory(_) => "memory",
            Self::Redis(_) => "redis",
        }
    }

    /// A reader for the validations of one runtime; it may not be moved to another.
    pub async fn reader(&self) -> Reader {
        match self {
            Self::Memory(store) => Reader::Memory(store.clone()),
            Self::Redis(store) => Reader::Redis(store.reader().await),
        }
    }

    /// Keeps a new token. Gives the ids of those that had to make room for it.
    ///
    /// # Errors
    /// `Unavailable`, also when the store is full; `Corrupt` when room must be made among corrupt records.
    pub async fn issue(&self, token: &Token, now_ms: u64) -> Result<Ended, StoreError> {
        match self {
            Self::Memory(store) => store.issue(token, now_ms),
            Self::Redis(store) => store.issue(token, now_ms).await,
        }
    }

    /// The token of this id, when it is visible.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn token(&self, id: TokenId, now_ms: u64) -> Result<Option<Token>, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.token(id, now_ms)),
            Self::Redis(store) => store.token(id, now_ms).await,
        }
    }

    /// Changes or ends a token.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn change(
        &self,
        id: TokenId,
        change: &TokenChange,
        now_ms: u64,
    ) -> Result<Changed, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.change(id, change, now_ms)),
            Self::Redis(store) => store.change(id, change, now_ms).await,
        }
    }

    /// All visible tokens of a user, newest first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn user_tokens(&self, user: &str, now_ms: u64) -> Result<Vec<Token>, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.user_tokens(user, now_ms)),
            Self::Redis(store) => store.user_tokens(user, now_ms).await,
        }
    }

    /// Ends all live tokens of a user but one, atomically. Gives those it ended.
    ///
    /// # Errors
    /// `Unavailable`; `Corrupt`, and then all were ended whose records are not.
    pub async fn end_user_tokens(
        &self,
        user: &str,
        except: Option<TokenId>,
        now_ms: u64,
    ) -> Result<Ended, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.end_user_tokens(user, except, now_ms)),
            Self::Redis(store) => store.end_user_tokens(user, except, now_ms).await,
        }
    }

    /// Writes accesses down: the last access moves forward only, a renewal never shortens, and a token that is
    /// not there, ended, or was expired at the time of its access stays so.
    ///
    /// # Errors
    /// `Unavailable`: any part of them may have been written; writing them again is harmless. `Corrupt`: all
    /// were written whose records are not.
    pub async fn touch(&self, touches: &[Touch], now_ms: u64) -> Result<(), StoreError> {
        match self {
            Self::Memory(store) => {
                store.touch(touches, now_ms);
                Ok(())
            }
            Self::Redis(store) => store.touch(touches, now_ms).await,
        }
    }

    /// The check-key secret that all nodes of this store share: the one it has, or `proposed`, which it then
    /// keeps.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn shared_check_key(&self, proposed: &str) -> Result<String, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.shared_check_key(proposed)),
            Self::Redis(store) => store.shared_check_key(proposed).await,
        }
    }

    /// Its clock, in milliseconds since the Unix epoch, when it has one of its own. Also the probe of whether
    /// it can be asked, for writes too.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn probe(&self) -> Result<Option<u64>, StoreError> {
        match self {
            Self::Memory(_) => Ok(None),
            Self::Redis(store) => store.probe().await.map(Some),
        }
    }

    /// The worker that listens for changes made by other nodes; a store of one node has nothing to hear.
    /// Ends with its runtime.
    pub async fn track(&self) -> Infallible {
        match self {
            Self::Memory(_) => std::future::pending().await,
            Self::Redis(store) => store.track().await,
        }
    }

    /// What the near cache did; zeros without one.
    pub fn cache_stats(&self) -> cache::Stats {
        match self {
            Self::Memory(_) => cache::Stats::default(),
            Self::Redis(store) => store.cache_stats(),
        }
    }

    /// Gives memory back that expired records hold; a store that expires by itself does nothing.
    pub fn collect_garbage(&self, now_ms: u64) {
        if let Self::Memory(store) = self {
            store.collect_garbage(now_ms);
        }
    }
}

/// Reads credentials on the hot path.
pub enum Reader {
    /// From the embedded store.
    Memory(Arc<MemoryStore>),
    /// Over a connection of the runtime's own.
    Redis(redis::Reader),
}

impl Reader {
    /// The credential of this id as far as it is known without waiting: `Some(None)` when it is known that
    /// there is none.
    pub fn known_credential(&self, id: TokenId) -> Option<Option<Arc<Credential>>> {
        match self {
            Self::Memory(store) => Some(store.credential(id)),
            Self::Redis(reader) => reader.known_credential(id),
        }
    }

    /// The credential of this id, whatever its state; `None` when there is no such token.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn credential(&self, id: TokenId) -> Result<Option<Arc<Credential>>, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.credential(id)),
            Self::Redis(reader) => reader.credential(id).await,
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

    /// Lets the credential know the last access that the store knows of; where views have it already, nothing.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn learn_last_access(&self, credential: &Credential) -> Result<(), StoreError> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Redis(reader) => reader.learn_last_access(credential).await,
        }
    }
}
