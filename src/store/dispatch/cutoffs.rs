//! Cut-offs in the store, and the walk over all tokens.

#[cfg(feature = "redis")]
use std::sync::atomic::Ordering;

use super::store::Store;
use crate::model::cutoff::{Cutoff, CutoffName, CutoffStep, SetCutoff};
use crate::store::call::Call;
use crate::store::error::StoreError;
use crate::store::on_store::on_store;
#[cfg(feature = "redis")]
use crate::store::redis::operations::walk::RedisPlace;
use crate::store::rejection::Outcome;
use crate::store::walk::WalkPage;

/// The place of a walk over all tokens. The default is the start.
#[derive(Default)]
pub struct WalkPlace {
    /// The next shard of the embedded store.
    shard: usize,
    #[cfg(feature = "redis")]
    redis: RedisPlace,
}

impl Store {
    /// Reads all cut-offs.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn cutoffs(&self) -> Result<Vec<Cutoff>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.cutoffs()),
            Self::Redis(store) => store.cutoffs().await,
        })
    }

    /// Returns the number of the data that has the cut-offs: another one after a failover or a restart of Redis.
    pub(crate) fn cutoff_data(&self) -> u64 {
        on_store!(match self {
            Self::Memory(_) => 0,
            Self::Redis(store) => store.cutoff_data.load(Ordering::SeqCst),
        })
    }

    /// Sets a cut-off, or moves it to a later time; then its walk starts again. Setting the present time again changes
    /// nothing.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn set_cutoff(
        &self,
        name: &CutoffName,
        before_ms: u64,
        call: impl Into<Call<'_>>,
    ) -> Result<Outcome<SetCutoff>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.set_cutoff(name, before_ms, &call.into())),
            Self::Redis(store) =>
                store
                    .acknowledge(call.into(), async |call| store.set_cutoff(name, before_ms, call).await)
                    .await,
        })
    }

    /// Removes a cut-off. Returns whether there was one.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn remove_cutoff(
        &self,
        name: &CutoffName,
        call: impl Into<Call<'_>>,
    ) -> Result<bool, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.remove_cutoff(name, &call.into())),
            Self::Redis(store) =>
                store.acknowledge(call.into(), async |call| store.remove_cutoff(name, call).await).await,
        })
    }

    /// Takes or prolongs the lease of the walk for `walker`, a random name, and counts the steps that it made. Returns all
    /// cut-offs as they are now; `None` if another node holds the lease.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn hold_walk(
        &self,
        walker: &str,
        steps: &[CutoffStep],
        call: impl Into<Call<'_>>,
    ) -> Result<Option<Vec<Cutoff>>, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(Some(store.count_steps(steps, &call.into()))),
            Self::Redis(store) => store.hold_walk(walker, steps, &call.into()).await,
        })
    }

    /// Reads the next tokens of a walk: the tokens among about `keys` keys, or in the next shard of the embedded store.
    /// After the last page, returns an empty one that is the last one, too.
    ///
    /// # Errors
    /// `Unavailable`; the next call goes on at the same place.
    pub async fn walk_page(&self, place: &mut WalkPlace, keys: u64) -> Result<WalkPage, StoreError> {
        on_store!(match self {
            Self::Memory(store) => Ok(store.walk_page(&mut place.shard)),
            Self::Redis(store) => store.walk_page(&mut place.redis, keys).await,
        })
    }
}
