//! Takeovers in the store.

use super::store::Store;
use crate::model::revoke_reason::RevokeReason;
use crate::model::takeover::{EndedTakeover, NewTakeover, Takeover};
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::on_store::on_store;
use crate::store::rejection::Outcome;
use crate::token_string::TokenId;

impl Store {
    /// Starts a takeover; an earlier one of the token ends first.
    ///
    /// # Errors
    /// `Unavailable`, also if the store is full; `Corrupt`.
    pub async fn start_takeover(
        &self,
        takeover: &NewTakeover,
        call: impl Into<Call<'_>>,
    ) -> Result<Outcome<Takeover>, StoreError> {
        let outcome = on_store!(match self {
            Self::Memory(store) => Ok(store.start_takeover(takeover, &call.into())),
            Self::Redis(store) => {
                let outcome = store
                    .acknowledge(call.into(), async |call| store.start_takeover(takeover, call).await)
                    .await;
                outcome.and_then(|outcome| store.settled(takeover.token.hash_tag(), outcome))
            }
        });
        self.changes().takeovers_started.add(usize::from(matches!(outcome, Ok(Ok(_)))));
        outcome
    }

    /// Ends the takeover under way on a token. Returns it, if there was one.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn end_takeover(
        &self,
        token: TokenId,
        reason: RevokeReason,
        call: impl Into<Call<'_>>,
    ) -> Result<Option<EndedTakeover>, StoreError> {
        let ended = on_store!(match self {
            Self::Memory(store) => store.end_takeover(token, reason, &call.into()),
            Self::Redis(store) => {
                store.found(
                    token.hash_tag(),
                    store
                        .acknowledge(call.into(), async |call| store.end_takeover(token, reason, call).await)
                        .await?,
                )?
            }
        });
        self.changes().takeovers_ended.add(reason, usize::from(ended.is_some()));
        Ok(ended)
    }

    /// Lists the visible takeovers of a token, newest first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn token_takeovers(&self, token: TokenId, now_ms: u64) -> Result<Vec<Takeover>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.token_takeovers(token, now_ms)),
            Self::Redis(store) => store.token_takeovers(token, now_ms).await,
        })
    }

    /// Lists the visible takeovers of a user by others, newest first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn user_takeovers(&self, user: &str, now_ms: u64) -> Result<Vec<Takeover>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.user_takeovers(user, now_ms)),
            Self::Redis(store) => store.user_takeovers(user, now_ms).await,
        })
    }
}
