//! Tokens and events in the store.

use super::store::Store;
use crate::model::event::Event;
use crate::model::token::{Token, TokenChange, Touch};
use crate::store::call::Call;
use crate::store::error::{StoreError, Unwritten};
use crate::store::live_tokens::LiveTokens;
use crate::store::on_store::on_store;
use crate::store::rejection::Outcome;
#[cfg(feature = "redis")]
use crate::token_string::HashTag;
use crate::token_string::{SecretHash, TokenId};

impl Store {
    /// Stores a new token, without a takeover or previous secrets. Returns the tokens that were revoked for it.
    ///
    /// # Errors
    /// `Unavailable`, also if the store is full; `Corrupt` if a corrupt record is in the way.
    pub async fn issue(
        &self,
        token: &Token,
        call: impl Into<Call<'_>>,
    ) -> Result<Outcome<Vec<TokenId>>, StoreError> {
        let outcome = on_store!(match self {
            Self::Memory(store) => store.issue(token, &call.into()),
            Self::Redis(store) =>
                store.acknowledge(call.into(), async |call| store.issue(token, call).await).await,
        });
        self.changes().issued.add(usize::from(matches!(outcome, Ok(Ok(_)))));
        outcome
    }

    /// Returns the token of this id, if it is visible.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn token(&self, id: TokenId, now_ms: u64) -> Result<Option<Token>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.token(id, now_ms)),
            Self::Redis(store) => store.found(id.hash_tag(), store.token(id, now_ms).await?),
        })
    }

    /// Changes or revokes a token, and returns it. Revoking a revoked token changes nothing and is no error.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn change(
        &self,
        id: TokenId,
        change: &TokenChange,
        call: impl Into<Call<'_>>,
    ) -> Result<Outcome<Token>, StoreError> {
        let outcome = on_store!(match self {
            Self::Memory(store) => Ok(store.change(id, change, &call.into())),
            Self::Redis(store) => {
                let outcome =
                    store.acknowledge(call.into(), async |call| store.change(id, change, call).await).await;
                outcome.and_then(|outcome| store.settled(id.hash_tag(), outcome))
            }
        });
        let is_rotated = change.rotate.is_some() && matches!(outcome, Ok(Ok(_)));
        self.changes().rotated.add(usize::from(is_rotated));
        outcome
    }

    /// Revokes the token if it remembers this secret as rotated out, and its grace is over. Returns its user if it was
    /// revoked; any other secret changes nothing.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn revoke_reused(
        &self,
        id: TokenId,
        secret_hash: &SecretHash,
        call: impl Into<Call<'_>>,
    ) -> Result<Option<String>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.revoke_reused(id, secret_hash, &call.into())),
            Self::Redis(store) =>
                store
                    .acknowledge(call.into(), async |call| store.revoke_reused(id, secret_hash, call).await)
                    .await,
        })
    }

    /// Estimates how many live tokens there are, without walking the store; the embedded store counts them.
    ///
    /// # Errors
    /// `Unavailable`, also if the Redis user may not run `DBSIZE`, `RANDOMKEY` and `SCAN`.
    pub async fn sample_live_tokens(&self, now_ms: u64) -> Result<LiveTokens, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.count_live_tokens(now_ms)),
            Self::Redis(store) => store.sample_live_tokens(now_ms).await,
        })
    }

    /// Lists the events of a user's tokens, takeovers and device keys, newest first.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn user_events(&self, user: &str, now_ms: u64) -> Result<Vec<Event>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.user_events(user, now_ms)),
            Self::Redis(store) => store.user_events(user, now_ms).await,
        })
    }

    /// Lists the visible tokens of a user, newest first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn user_tokens(&self, user: &str, now_ms: u64) -> Result<Vec<Token>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.user_tokens(user, now_ms)),
            Self::Redis(store) => store.user_tokens(user, now_ms).await,
        })
    }

    /// Revokes all live tokens of a user except one. Returns those it revoked.
    ///
    /// Which tokens these are is decided in one step: a token that is issued concurrently is either revoked or was issued
    /// afterwards. Up to 100 tokens are revoked in that step; more are revoked one step after the other until this returns.
    ///
    /// # Errors
    /// `Unavailable`: some may be revoked; calling again is safe. `Corrupt`: all other tokens were revoked.
    pub async fn revoke_user_tokens(
        &self,
        user: &str,
        except: Option<TokenId>,
        call: impl Into<Call<'_>>,
    ) -> Result<Vec<TokenId>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.revoke_user_tokens(user, except, &call.into())),
            Self::Redis(store) => {
                let revoked = store
                    .acknowledge(call.into(), async |call| store.revoke_user_tokens(user, except, call).await)
                    .await?;
                store.require_settled(HashTag::of_user(user)).map(|()| revoked)
            }
        })
    }

    /// Writes accesses. The last access only moves forward, and a renewal never shortens a token's life. A token that is
    /// revoked, or had expired at the time of its access or of the first access of its [`Renewal`], is left alone.
    ///
    /// [`Renewal`]: crate::model::token::Renewal
    ///
    /// # Errors
    /// Names the accesses that may not be written: one of several servers may be away.
    pub async fn touch(&self, touches: &[Touch], now_ms: u64) -> Result<(), Unwritten> {
        on_store!(match self {
            Self::Memory(store) => {
                store.touch(touches, now_ms);
                Ok(())
            }
            Self::Redis(store) => store.touch(touches, now_ms).await,
        })
    }
}
