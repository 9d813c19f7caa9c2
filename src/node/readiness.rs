//! Whether this node should get traffic, and the worker that finds out.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::fault_log::FaultLog;
use crate::service::Service;
use crate::service::token_keys::TokenKeySource;
use crate::store::StoreError;
use crate::store::report::{Fault, FaultKind, Report};

/// The pause between two looks at the store.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);

/// So many looks at most a node takes at its start at a store that is slow to answer.
const FIRST_LOOKS: u32 = 2;

/// Ready or not; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<State>);

#[derive(Debug, Default)]
struct State {
    store_usable: AtomicBool,
    draining: AtomicBool,
    report: ArcSwap<Report>,
}

impl Readiness {
    /// True while the store can be asked and the node is not draining.
    pub fn is_ready(&self) -> bool {
        self.0.store_usable.load(Ordering::Relaxed) && !self.0.draining.load(Ordering::Relaxed)
    }

    /// What the last look found.
    pub fn report(&self) -> Arc<Report> {
        self.0.report.load_full()
    }

    /// From now on not ready, for good.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }
}

/// Looks at the store in turns: can it be asked, what time is it there, what is its token key?
pub struct Monitor {
    service: Arc<Service>,
    readiness: Readiness,
    token_keys: TokenKeySource,
    log: FaultLog,
}

impl Monitor {
    /// A monitor that keeps the service's token keys in step with the store's.
    pub fn new(service: Arc<Service>, readiness: Readiness, token_keys: TokenKeySource) -> Self {
        token_keys.begin(&service);
        Self { service, readiness, token_keys, log: FaultLog::default() }
    }

    /// The looks of a node that starts: until the store is usable, or it is plain that it is not. On a busy machine the
    /// first answers may be late; a look that fails at once would fail again.
    pub async fn first_look(&mut self) {
        let service = self.service.clone();
        let (clock, limit) = (service.clock(), service.store().timeout());
        for _ in 0..FIRST_LOOKS {
            let began_ms = clock.boottime_ms();
            self.look().await;
            let took_ms = u128::from(clock.boottime_ms() - began_ms);
            if self.readiness.is_ready() || limit.is_none_or(|limit| took_ms < limit.as_millis()) {
                return;
            }
        }
    }

    /// One look.
    pub async fn look(&mut self) {
        let mut report = self.service.store().inspect().await;
        // Of servers that are all away nothing more is asked. Where only some are, the tokens of the others are judged.
        let away = report.faults.iter().filter(|fault| fault.kind == FaultKind::Unreachable).count();
        let is_away = away > 0 && away >= report.masters.len();
        if !is_away
            && let Err(error) = self.check().await
            && report.fatal().is_none()
        {
            let fix = match error {
                StoreError::Corrupt { .. } => "correct or delete the record in Redis, as the cause says",
                StoreError::Unavailable(_) | StoreError::Unusable(_) => "look at the server's log",
            };
            let server = self.service.store().name();
            report.faults.push(Fault::new(FaultKind::Other, server, error.to_string(), fix));
        }
        let report = Arc::new(report);
        // Before the flag: a client that sees the node ready must not find the former faults in the status.
        self.readiness.0.report.store(report.clone());
        let is_usable = report.fatal().is_none();
        let was_usable = self.readiness.0.store_usable.swap(is_usable, Ordering::Relaxed);
        self.log.update(&report, self.service.clock().boottime_ms());
        self.log.update_tracking(&report.masters);
        if is_usable && !was_usable {
            tracing::info!("store usable");
        }
    }

    async fn check(&mut self) -> Result<(), StoreError> {
        let probed = self.service.store().probe().await;
        // Also when a part of the store is away: the tokens of the other parts are judged all the same.
        self.token_keys.follow(&self.service).await?;
        probed
    }

    /// The worker: looks again and again. Ends with its runtime.
    pub async fn run(mut self) -> Infallible {
        loop {
            tokio::time::sleep(PROBE_INTERVAL).await;
            self.look().await;
        }
    }
}
