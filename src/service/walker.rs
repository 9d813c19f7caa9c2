//! The worker that walks over all tokens, and revokes those for good that a cut-off refuses. If takeovers are off, it also
//! ends those under way.
//!
//! One node at a time walks: it holds a lease in the store. If it dies, another node starts the walk again. A walk that may
//! have missed tokens, because the masters or their slots changed, is repeated. Nothing depends on the worker's pace: every
//! node refuses the tokens already.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::try_join_all;
use rand::rngs::SysError;

use super::core::Service;
use crate::entropy::Entropy;
use crate::logging::RepeatedFault;
use crate::model::cutoff::{Cutoff, CutoffName, CutoffStep, Cutoffs};
use crate::model::revoke_reason::RevokeReason;
use crate::model::token::{TokenChange, TokenRecord};
use crate::store::StoreError;
use crate::store::dispatch::cutoffs::WalkPlace;
use crate::store::pace::Pace;
use crate::store::walk::WalkPage;

/// Keys that a walk looks at in a second, at most.
pub const WALK_KEYS_PER_SECOND: u64 = 10_000;
/// Tokens that a walk revokes in a second, at most.
pub const WALK_REVOCATIONS_PER_SECOND: u64 = 2_000;
/// Revocations that are under way at once.
const AT_ONCE: usize = 4;
/// The pause between two looks for something to do, and after an error.
const PAUSE: Duration = Duration::from_secs(1);
/// An error that lasts is logged once in this time.
const FAULT_INTERVAL_MS: u64 = 60_000;

/// The worker of a node.
pub struct Walker {
    service: Arc<Service>,
    /// Names this node in the lease.
    name: String,
    /// Whether this node still has to end the takeovers that were under way when it started.
    must_end_takeovers: bool,
    walk: Option<Walk>,
}

/// A walk under way.
struct Walk {
    place: WalkPlace,
    /// The page at which a call failed.
    unfinished: Option<WalkPage>,
    /// The cut-offs that it is for, as they were at its start.
    cutoffs: Vec<Cutoff>,
    ends_takeovers: bool,
    scanned: u64,
    /// Tokens revoked that are not reported yet, by cut-off.
    unreported: BTreeMap<CutoffName, u64>,
    takeovers_ended: u64,
}

impl Walker {
    /// A worker with a random name.
    ///
    /// # Errors
    /// The operating system has no randomness to give.
    pub fn new(service: Arc<Service>, entropy: &Entropy) -> Result<Self, SysError> {
        let name = URL_SAFE_NO_PAD.encode(entropy.bytes::<16>()?);
        let must_end_takeovers = !service.policy.takeovers;
        Ok(Self { service, name, must_end_takeovers, walk: None })
    }

    /// Walks whenever there is something to do. Ends with its runtime.
    pub async fn run(mut self) -> Infallible {
        let faults = RepeatedFault::every_ms(FAULT_INTERVAL_MS);
        loop {
            // It goes on at the same place, unless another node has taken over.
            if let Err(error) = self.walk_if_due().await
                && let Some(due) = faults.due(self.service.clock.boottime_ms())
            {
                tracing::warn!(%error, suppressed = due.suppressed, "walk over all tokens interrupted");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Walks to the end, if there is something to do and no other node does it.
    async fn walk_if_due(&mut self) -> Result<(), StoreError> {
        let is_due = |cutoff: &Cutoff| cutoff.progress.finished_at_ms.is_none();
        let known = self.service.cutoffs.present();
        if self.walk.is_none()
            && !self.must_end_takeovers
            && !known.is_some_and(|known| known.iter().any(is_due))
        {
            return Ok(());
        }
        while let Some(present) = self.hold(false).await? {
            let walk = self.walk.get_or_insert_with(|| {
                Walk::new(present.iter().filter(|cutoff| is_due(cutoff)).cloned(), self.must_end_takeovers)
            });
            walk.keep_only(&present);
            if walk.is_idle() {
                break;
            }
            let page = walk.step(&self.service).await?;
            if !page.is_last {
                continue;
            }
            if page.has_seen_all {
                self.must_end_takeovers &= !walk.ends_takeovers;
                walk.log_end();
                self.hold(true).await?;
            } else {
                tracing::info!("walk repeated: the masters of the store changed meanwhile");
                // The steps of the last page.
                self.hold(false).await?;
            }
            self.walk = None;
            return Ok(());
        }
        // Another node walks, or there is nothing left to do.
        self.walk = None;
        Ok(())
    }

    /// Takes or prolongs the lease, and reports what was done. Returns the present cut-offs; `None` if another node has the
    /// lease.
    async fn hold(&mut self, is_last: bool) -> Result<Option<Vec<Cutoff>>, StoreError> {
        let steps = self.walk.as_ref().map(|walk| walk.steps(is_last)).unwrap_or_default();
        let present = self.service.store.hold_walk(&self.name, &steps, self.service.clock.now_ms()).await?;
        if let Some(walk) = &mut self.walk {
            walk.unreported.clear();
        }
        Ok(present)
    }
}

impl Walk {
    fn new(cutoffs: impl Iterator<Item = Cutoff>, ends_takeovers: bool) -> Self {
        let (place, unreported) = (WalkPlace::default(), BTreeMap::new());
        let (cutoffs, unfinished) = (cutoffs.collect(), None);
        Self { place, unfinished, cutoffs, ends_takeovers, scanned: 0, unreported, takeovers_ended: 0 }
    }

    /// Drops the cut-offs that were moved or removed meanwhile.
    fn keep_only(&mut self, present: &[Cutoff]) {
        let is_present = |cutoff: &Cutoff| {
            present.iter().any(|other| other.name == cutoff.name && other.before_ms == cutoff.before_ms)
        };
        self.cutoffs.retain(is_present);
    }

    fn is_idle(&self) -> bool {
        self.cutoffs.is_empty() && !self.ends_takeovers
    }

    /// Looks at the next tokens, and revokes those that a cut-off refuses. Waits so that the pace is kept.
    async fn step(&mut self, service: &Service) -> Result<WalkPage, StoreError> {
        let (pace, began) = (Pace::new(WALK_KEYS_PER_SECOND), service.clock.reading());
        let page = match self.unfinished.take() {
            Some(page) => page,
            None => service.store.walk_page(&mut self.place, pace.step()).await?,
        };
        let changed = match self.change_refused(service, &page).await {
            Ok(changed) => changed,
            Err(error) => {
                self.unfinished = Some(page);
                return Err(error);
            }
        };
        self.scanned += page.tokens.len() as u64;
        let took_us = service.clock.elapsed_ns(began) / 1000;
        let pause = pace.pause(page.keys, took_us);
        tokio::time::sleep(pause.max(Pace::new(WALK_REVOCATIONS_PER_SECOND).pause(changed, took_us))).await;
        Ok(page)
    }

    /// Revokes the tokens of a page that a cut-off refuses, and ends takeovers. Returns how many.
    async fn change_refused(&mut self, service: &Service, page: &WalkPage) -> Result<u64, StoreError> {
        let cutoffs = Cutoffs::new(self.cutoffs.iter().cloned());
        let due = |token| {
            let refusing = cutoffs.refusing(token).map(|cutoff| cutoff.name.clone());
            let has_takeover = self.ends_takeovers && token.takeover.is_some();
            (token.is_active && (refusing.is_some() || has_takeover)).then_some((token, refusing))
        };
        let due: Vec<(&TokenRecord, _)> = page.tokens.iter().map(Arc::as_ref).filter_map(due).collect();
        let mut changed = 0;
        for some in due.chunks(AT_ONCE) {
            let change = async |(token, refusing): &(&TokenRecord, Option<CutoffName>)| match refusing {
                Some(_) => revoke(service, token).await,
                None => end_takeover(service, token).await,
            };
            let done = try_join_all(some.iter().map(change)).await?;
            for ((_, refusing), _) in some.iter().zip(done).filter(|(_, is_done)| *is_done) {
                changed += 1;
                match refusing {
                    Some(name) => *self.unreported.entry(name.clone()).or_default() += 1,
                    None => self.takeovers_ended += 1,
                }
            }
        }
        Ok(changed)
    }

    /// Returns what is to be reported.
    fn steps(&self, is_last: bool) -> Vec<CutoffStep> {
        let step = |cutoff: &Cutoff| CutoffStep {
            name: cutoff.name.clone(),
            before_ms: cutoff.before_ms,
            scanned: self.scanned,
            revoked: self.unreported.get(&cutoff.name).copied().unwrap_or_default(),
            is_last,
        };
        self.cutoffs.iter().map(step).collect()
    }

    fn log_end(&self) {
        let names: Vec<_> = self.cutoffs.iter().map(|cutoff| cutoff.name.to_string()).collect();
        let (cutoffs, takeovers_ended) = (names.join(","), self.takeovers_ended);
        tracing::info!(scanned = self.scanned, cutoffs, takeovers_ended, "walk over all tokens finished");
    }
}

/// Revokes a token for good. Returns whether it was not revoked before.
async fn revoke(service: &Service, token: &TokenRecord) -> Result<bool, StoreError> {
    let change = TokenChange::revoking(RevokeReason::Cutoff);
    match service.store.change(token.id, &change, service.clock.now_ms()).await {
        Ok(outcome) => {
            let reason = outcome.ok().and_then(|token| token.revoked).and_then(|revoked| revoked.reason);
            Ok(reason == Some(RevokeReason::Cutoff))
        }
        // It opens nothing, and must not keep the others from being revoked. `doorward verify` reports it.
        Err(StoreError::Corrupt { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Ends the takeover of a token. Returns whether one was under way.
async fn end_takeover(service: &Service, token: &TokenRecord) -> Result<bool, StoreError> {
    let reason = RevokeReason::TakeoversOff;
    match service.store.end_takeover(token.id, reason, service.clock.now_ms()).await {
        Ok(ended) => Ok(ended.is_some()),
        Err(StoreError::Corrupt { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
