//! The server's reports to the service manager while it runs: its status, and that it is alive.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::reload::status::{LastReload, ReloadStatus};
use super::validation_threads::LifeSigns;
use crate::node::readiness::Readiness;
use crate::service_manager::ServiceManager;
use crate::store::report::Report;

/// How often the status is compared with the one that the manager knows.
const STATUS_INTERVAL: Duration = Duration::from_millis(500);
/// Signs of life in each timeout of the watchdog, so that a late one does no harm.
const SIGNS_PER_TIMEOUT: u32 = 3;

/// Tells the manager the status, now and whenever it changes.
pub(super) async fn report_status(
    manager: ServiceManager,
    readiness: Readiness,
    reload: Arc<ReloadStatus>,
) -> Infallible {
    let mut told = String::new();
    loop {
        let status = status_text(readiness.is_ready(), &readiness.report(), &reload.last());
        if status != told {
            manager.status(&status).await;
            told = status;
        }
        sleep(STATUS_INTERVAL).await;
    }
}

/// Tells the manager that the process is alive, each time that all validation threads have shown that they work. This task
/// itself shows it of the runtime of the admin plane. If a worker or a thread ends, the process stops anyway.
pub(super) async fn report_life(
    manager: ServiceManager,
    watchdog_timeout: Duration,
    threads: LifeSigns,
) -> Infallible {
    loop {
        threads.received().await;
        manager.alive().await;
        sleep(watchdog_timeout / SIGNS_PER_TIMEOUT).await;
    }
}

/// Returns the status in one line: whether the node is ready, the worst fault, and whether the last reload was refused.
fn status_text(is_ready: bool, report: &Report, reload: &LastReload) -> String {
    let (readiness, fault) = match (is_ready, report.fatal()) {
        (true, _) => ("ready", report.faults.first()),
        (false, Some(fault)) => ("not ready", Some(fault)),
        (false, None) => ("stopping", None),
    };
    let mut text = readiness.to_owned();
    if let Some(fault) = fault {
        text += &format!(": {}: {}: {}", fault.kind.message(), fault.server, fault.cause);
    }
    if !reload.is_successful() {
        text += &format!("; reload refused, mistakes in: {}", reload.mistakes.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::report::{Fault, FaultKind};

    #[test]
    fn the_status_names_the_worst_fault_and_a_refused_reload() {
        let done = LastReload { at_ms: 0, mistakes: Vec::new(), needs_restart: Vec::new() };
        let refused = LastReload { mistakes: vec!["api-keys".into(), "checks".into()], ..done.clone() };
        let fault =
            |kind| Report::of_fault(Fault::new(kind, "10.0.0.1:6379", "connection refused", "start it"));
        assert_eq!(status_text(true, &Report::default(), &done), "ready");
        assert_eq!(
            status_text(false, &fault(FaultKind::Unreachable), &done),
            "not ready: redis unreachable: 10.0.0.1:6379: connection refused"
        );
        assert_eq!(
            status_text(true, &fault(FaultKind::MemoryLow), &refused),
            "ready: redis memory nearly full: 10.0.0.1:6379: connection refused; reload refused, mistakes in: \
             api-keys, checks"
        );
        for report in [Report::default(), fault(FaultKind::MemoryLow)] {
            assert_eq!(status_text(false, &report, &done), "stopping");
        }
    }
}
