//! Probes the store at intervals.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use super::fault_log::FaultLog;
use super::readiness::Readiness;
use crate::service::Service;
use crate::service::token_keys::TokenKeySource;
use crate::store::report::{Fault, FaultKind};

/// The pause between two probes.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);
/// Cut-offs that were not read for so long may be out of date.
const MAX_CUTOFFS_AGE_MS: u64 = 2_000;
/// The maximum number of probes at start-up, if the store is slow to answer.
const MAX_FIRST_PROBES: u32 = 2;

/// Probes the store: its faults, its clock and its token key. Sets the readiness, and keeps the service's token keys in step
/// with the store's.
pub struct Monitor {
    service: Arc<Service>,
    readiness: Readiness,
    token_keys: Arc<TokenKeySource>,
    log: FaultLog,
}

impl Monitor {
    /// Makes a monitor, and gives the service the configured token keys.
    pub fn new(service: Arc<Service>, readiness: Readiness, token_keys: Arc<TokenKeySource>) -> Self {
        token_keys.begin(&service);
        Self { service, readiness, token_keys, log: FaultLog::default() }
    }

    /// Probes the store at start-up. On a busy machine the first replies may be late, so a probe that timed out is
    /// repeated. A probe that failed sooner would fail again.
    pub async fn first_probe(&mut self) {
        let service = self.service.clone();
        let (clock, timeout) = (service.clock(), service.store().timeout());
        for _ in 0..MAX_FIRST_PROBES {
            let began_ms = clock.boottime_ms();
            self.probe().await;
            let took_ms = u128::from(clock.boottime_ms() - began_ms);
            if self.readiness.is_ready() || timeout.is_none_or(|timeout| took_ms < timeout.as_millis()) {
                return;
            }
        }
    }

    /// Probes the store once.
    pub async fn probe(&mut self) {
        let mut report = self.service.store().examine().await;
        // Even if some masters are unreachable: the tokens on the others are validated all the same.
        if !report.are_all_masters_unreachable() && self.service.known_cutoffs().is_none() {
            // An error is in the fault below.
            let _ = self.service.follow_cutoffs().await;
        }
        if report.fatal().is_none() {
            report.add(self.cutoffs_fault());
        }
        if !report.are_all_masters_unreachable()
            && let Err(error) = self.token_keys.follow(&self.service).await
            && report.fatal().is_none()
        {
            report.add([Fault::of_operation(self.service.store().name(), &error)]);
        }
        let report = Arc::new(report);
        let is_usable = report.fatal().is_none();
        let was_usable = self.readiness.set_report(report.clone(), is_usable);
        self.log.update(&report, self.service.clock().boottime_ms());
        self.log.update_tracking(&report.masters);
        if is_usable && !was_usable {
            tracing::info!("store usable");
        }
    }

    /// Returns the fault of a node that does not know the present cut-offs.
    fn cutoffs_fault(&self) -> Option<Fault> {
        let server = self.service.store().name();
        let fix = "bring the master of the cut-offs back, or correct the entry that the log names";
        match self.service.cutoffs_age_ms() {
            None => {
                let cause = "the cut-offs were not read yet: no token is judged without them";
                Some(Fault::new(FaultKind::CutoffsUnknown, server, cause, fix))
            }
            Some(age_ms) if age_ms > MAX_CUTOFFS_AGE_MS => {
                let cause = "the cut-offs were not read for 2 s: the last known ones are in force";
                Some(Fault::new(FaultKind::CutoffsStale, server, cause, fix))
            }
            Some(_) => None,
        }
    }

    /// Probes the store forever.
    pub async fn run(mut self) -> Infallible {
        loop {
            tokio::time::sleep(PROBE_INTERVAL).await;
            self.probe().await;
        }
    }
}
