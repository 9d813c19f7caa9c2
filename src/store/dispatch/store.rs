//! The store of a node.

use crate::store::cache;
use crate::store::call::Call;
use crate::store::error::{StoreError, Unwritten};
pub(crate) use crate::store::outcome::{Changed, Ended, Issued};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::model::event::Event;
use crate::model::token::record::{Token, TokenChange, Touch};
use crate::store::feed::Feed;
use crate::token_string::{SecretHash, TokenId};

use crate::store::memory::MemoryStore;
use crate::store::reader::Reader;
use crate::store::redis::RedisStore;
use crate::store::report::Report;

/// The store of a node.
#[derive(Clone)]
pub enum Store {
    /// Embedded: lives and dies with the process.
    Memory(Arc<MemoryStore>),
    /// Redis 7 or Valkey.
    Redis(Arc<RedisStore>),
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

    /// The longest wait for one answer; `None` where nothing is waited for.
    pub fn timeout(&self) -> Option<Duration> {
        match self {
            Self::Memory(_) => None,
            Self::Redis(store) => Some(store.timeout()),
        }
    }

    /// No look-up takes longer while its connection's runtime runs: a few calls that wait for the server; `None` where
    /// nothing is waited for.
    pub fn look_up_limit(&self) -> Option<Duration> {
        /// A read, one that must be fresh, the check for reuse, and one more for a slot on its way.
        const CALLS: u32 = 4;
        self.timeout().map(|timeout| timeout * CALLS)
    }

    /// A reader for the validations of one runtime; it may not be moved to another.
    pub async fn reader(&self) -> Reader {
        match self {
            Self::Memory(store) => Reader::Memory(store.clone()),
            Self::Redis(store) => Reader::Redis(store.reader().await),
        }
    }

    /// Keeps a new token, one without a takeover or previous secrets.
    ///
    /// # Errors
    /// `Unavailable`, also when the store is full; `Corrupt` when room must be made among corrupt records.
    pub async fn issue(&self, token: &Token, call: impl Into<Call<'_>>) -> Result<Issued, StoreError> {
        match self {
            Self::Memory(store) => store.issue(token, &call.into()),
            Self::Redis(store) => store.issue(token, &call.into()).await,
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
        call: impl Into<Call<'_>>,
    ) -> Result<Changed, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.change(id, change, &call.into())),
            Self::Redis(store) => store.change(id, change, &call.into()).await,
        }
    }

    /// Revokes the token if this secret of it is remembered as rotated out and its grace is over. Returns whether it
    /// did; any other secret changes nothing.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn revoke_reused(
        &self,
        id: TokenId,
        presented: &SecretHash,
        call: impl Into<Call<'_>>,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.revoke_reused(id, presented, &call.into())),
            Self::Redis(store) => store.revoke_reused(id, presented, &call.into()).await,
        }
    }

    /// What happened to a user's tokens, takeovers and device keys, newest first.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn user_events(&self, user: &str, now_ms: u64) -> Result<Vec<Event>, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.user_events(user, now_ms)),
            Self::Redis(store) => store.user_events(user, now_ms).await,
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

    /// Revokes all live tokens of a user but one. Gives those it revoked.
    ///
    /// Which tokens these are is decided in one step: a token that is issued concurrently is either revoked or was issued
    /// afterwards. Up to 100 tokens are revoked in that step; more are revoked one step after the other until this returns.
    ///
    /// # Errors
    /// `Unavailable`: some may be revoked; calling again is safe. `Corrupt`, and then all were revoked whose records are
    /// not.
    pub async fn revoke_user_tokens(
        &self,
        user: &str,
        except: Option<TokenId>,
        call: impl Into<Call<'_>>,
    ) -> Result<Ended, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.revoke_user_tokens(user, except, &call.into())),
            Self::Redis(store) => store.revoke_user_tokens(user, except, &call.into()).await,
        }
    }

    /// Writes accesses down: the last access moves forward only, a renewal never shortens, and a token that is
    /// not there, ended, or was expired at the time of its access, or of the first one of its [`Renewal`], stays so.
    ///
    /// [`Renewal`]: crate::model::token::record::Renewal
    ///
    /// # Errors
    /// Which were not, or not surely, written: of several servers one may be away.
    pub async fn touch(&self, touches: &[Touch], now_ms: u64) -> Result<(), Unwritten> {
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
    pub async fn shared_token_key(&self, proposed: &str) -> Result<String, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.shared_token_key(proposed)),
            Self::Redis(store) => store.shared_token_key(proposed).await,
        }
    }

    /// The check-key secret that the store keeps, if there is one.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn stored_token_key(&self) -> Result<Option<String>, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.stored_token_key()),
            Self::Redis(store) => store.stored_token_key().await,
        }
    }

    /// Checks that the store can be asked, for writes too, and lets the node's clock follow the store's, where that has
    /// one of its own.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn probe(&self) -> Result<(), StoreError> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Redis(store) => store.probe().await,
        }
    }

    /// Looks at what the store is, and whether it may be used: what is wrong, with cause and remedy. A store that must not
    /// be used refuses all operations from then on, until a later look finds it well.
    pub async fn inspect(&self) -> Report {
        match self {
            Self::Memory(_) => Report::default(),
            Self::Redis(store) => store.inspect().await,
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

    /// The live feed of what happens to all users, as this node hears of it.
    pub fn feed(&self) -> &Feed {
        match self {
            Self::Memory(store) => store.feed(),
            Self::Redis(store) => store.feed(),
        }
    }

    /// The worker that fills the feed with what all nodes do; a store of one node fills it itself. Ends with its
    /// runtime.
    pub async fn hear_events(&self) -> Infallible {
        match self {
            Self::Memory(_) => std::future::pending().await,
            Self::Redis(store) => store.hear_events().await,
        }
    }

    /// What the near cache did; zeros without one.
    pub fn cache_stats(&self) -> cache::CacheStats {
        match self {
            Self::Memory(_) => cache::CacheStats::default(),
            Self::Redis(store) => store.cache_stats(),
        }
    }

    /// Gives back at once what all expired records hold; Redis expires them by itself.
    pub fn prune(&self, now_ms: u64) {
        if let Self::Memory(store) = self {
            store.prune_all(now_ms);
        }
    }

    /// The worker that gives back what expired records hold; Redis expires them by itself. Ends with its runtime.
    pub async fn expire(&self, clock: &Clock) -> Infallible {
        match self {
            Self::Memory(store) => loop {
                tokio::time::sleep(crate::store::memory::memory_store::PRUNE_INTERVAL).await;
                store.prune_some(clock.now_ms());
            },
            Self::Redis(_) => std::future::pending().await,
        }
    }
}
