//! Settling: other nodes merge at the same time, so what this node does not find may be about to be written.
//!
//! A negative answer is an error then, and no refusal: a user whose login another node still remembers must not be
//! logged out. A revocation of all tokens of a user is done and reported as an error, too: it may have missed tokens, and
//! the client repeats it.

use std::time::Duration;

use crate::store::error::StoreError;
use crate::store::redis::redis_store::RedisStore;
use crate::store::rejection::{Outcome, Rejection};
use crate::token_string::HashTag;

/// How long other nodes may take to merge after this node has accepted other data than before.
pub(super) const REPLAY_SETTLE: Duration = Duration::from_secs(3);
/// The longest that a node settles because others merge. A node that takes longer is given up.
pub(super) const LONGEST_SETTLE: Duration = Duration::from_secs(60);

/// The masters that a node waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WaitingMasters {
    /// Masters into whose data this node is merging: it serves nothing of them.
    pub merging: usize,
    /// Masters that settle: other nodes may be merging, so this node refuses nothing there.
    pub settling: usize,
}

impl RedisStore {
    /// Counts the masters that this node waits for.
    pub(crate) fn waiting_masters(&self) -> WaitingMasters {
        let now_ms = self.node_cache.clock.boottime_ms();
        let masters = self.masters_with_tokens();
        WaitingMasters {
            merging: masters.iter().filter(|master| master.data.is_merging()).count(),
            settling: masters.iter().filter(|master| master.data.is_settling(now_ms)).count(),
        }
    }

    /// Returns whether another node may be about to write what this node does not find under this hash tag.
    pub(crate) fn is_settling(&self, hash_tag: HashTag) -> bool {
        self.topology.is_settling(hash_tag, self.node_cache.clock.boottime_ms())
    }

    /// Passes an outcome on, unless it says that something is not there.
    pub(crate) fn settled<T>(
        &self,
        hash_tag: HashTag,
        outcome: Outcome<T>,
    ) -> Result<Outcome<T>, StoreError> {
        if let Err(Rejection::NotFound | Rejection::LoginRefused) = &outcome {
            self.require_settled(hash_tag)?;
        }
        Ok(outcome)
    }

    /// Passes on what was found, unless that is nothing.
    pub(crate) fn found<T>(&self, hash_tag: HashTag, found: Option<T>) -> Result<Option<T>, StoreError> {
        if found.is_none() {
            self.require_settled(hash_tag)?;
        }
        Ok(found)
    }

    /// # Errors
    /// `Unavailable` while other nodes may be about to write under this hash tag.
    pub(crate) fn require_settled(&self, hash_tag: HashTag) -> Result<(), StoreError> {
        match self.is_settling(hash_tag) {
            true => Err(StoreError::settling()),
            false => Ok(()),
        }
    }

    /// # Errors
    /// `Unavailable` while other nodes may be about to write at any master.
    pub(crate) fn require_all_settled(&self) -> Result<(), StoreError> {
        let now_ms = self.node_cache.clock.boottime_ms();
        let map = self.topology.map();
        match map.masters.iter().any(|master| master.data.is_settling(now_ms)) {
            true => Err(StoreError::settling()),
            false => Ok(()),
        }
    }
}
