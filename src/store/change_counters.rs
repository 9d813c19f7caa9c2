//! Counts the changes that this node's store has acknowledged. Every node counts its own, so the sum over the nodes is
//! exact.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::revoke_reason::RevokeReason;

/// A counter of changes. Changes take a lock or a round trip, so they may share a cache line.
#[derive(Debug, Default)]
pub struct ChangeCounter(AtomicU64);

impl ChangeCounter {
    /// Adds changes.
    pub fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Returns the number of changes.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The changes that were acknowledged since the store was opened.
#[derive(Debug, Default)]
pub struct ChangeCounters {
    /// Tokens issued, device logins included.
    pub issued: ChangeCounter,
    /// Tokens imported.
    pub imported: ChangeCounter,
    /// Tokens that got a new secret.
    pub rotated: ChangeCounter,
    /// Tokens revoked, by reason.
    pub revoked: ByReason,
    /// Takeovers started.
    pub takeovers_started: ChangeCounter,
    /// Takeovers ended by a call, by reason; takeovers that end with their token are not counted. An erasure counts the
    /// takeovers of its user by others.
    pub takeovers_ended: ByReason,
    /// Device logins.
    pub device_logins: ChangeCounter,
    /// Refused device logins.
    pub device_refusals: ChangeCounter,
}

/// A counter for each reason.
#[derive(Debug, Default)]
pub struct ByReason([ChangeCounter; RevokeReason::ALL.len()]);

impl ByReason {
    /// Adds changes of one reason.
    pub fn add(&self, reason: RevokeReason, count: usize) {
        self.0[reason as usize].add(count);
    }

    /// Returns each of these reasons with its count.
    pub fn counts<'a>(
        &'a self,
        reasons: &'a [RevokeReason],
    ) -> impl Iterator<Item = (RevokeReason, u64)> + 'a {
        reasons.iter().map(|reason| (*reason, self.0[*reason as usize].get()))
    }
}
