//! The running server, and its stop in order.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::acceptors::Acceptors;
use super::reload::reloader::{Reloader, reload_at_hangup};
use super::reload::status::ReloadStatus;
use super::supervision::{report_life, report_status};
use super::validation_threads::ValidationThreads;
use crate::config::LoadAgain;
use crate::node::{Node, WorkerDied};
use crate::service_manager::ServiceManager;
use crate::telemetry::TraceExport;

/// How much longer than `shutdown-delay` and `drain-timeout` a stop may take: what comes after them takes about 2 s.
const STOP_MARGIN: Duration = Duration::from_secs(10);

/// A running server.
pub struct Server {
    /// The real address of the validation plane.
    pub listen: String,
    /// The real address of the admin plane.
    pub admin_listen: String,
    /// The real address of gRPC, if it is served.
    pub grpc_listen: Option<String>,
    /// The real address of the metrics without a key, if they are served.
    pub metrics_listen: Option<String>,
    /// Whether the validation plane speaks TLS.
    pub is_tls: bool,
    /// Whether the admin plane speaks TLS.
    pub is_admin_tls: bool,
    /// The API key that was generated for this run, if none was set.
    pub generated_admin_key: Option<String>,
    /// `memory` or `redis`.
    pub store_name: &'static str,
    pub(super) node: Node,
    pub(super) traces: Option<TraceExport>,
    pub(super) acceptors: Acceptors,
    pub(super) validation_threads: ValidationThreads,
    /// Reload the settings, log the expiry of API keys, and report to the service manager.
    pub(super) workers: JoinSet<Infallible>,
    /// The service manager; none until [`Server::report_to`].
    pub(super) manager: ServiceManager,
    pub(super) reload_status: Arc<ReloadStatus>,
    /// `None` once [`Server::reload_at`] has started its worker.
    pub(super) reloader: Option<Reloader>,
    pub(super) shutdown_delay: Duration,
    pub(super) drain_timeout: Duration,
}

impl Server {
    /// Reports to a service manager that the server is ready. From now on, it hears of each reload, of the stop, and of changes
    /// of the readiness, and its watchdog is kept quiet while every validation thread works.
    pub async fn report_to(&mut self, manager: ServiceManager) {
        if !manager.is_present() {
            return;
        }
        manager.ready().await;
        let readiness = self.node.readiness().clone();
        self.workers.spawn(report_status(manager.clone(), readiness, self.reload_status.clone()));
        if let Some(timeout) = manager.watchdog_timeout() {
            self.workers.spawn(report_life(manager.clone(), timeout, self.validation_threads.life_signs()));
        }
        self.manager = manager;
    }

    /// From now on, reads the settings again with `load` at each `hangup`, and replaces certificates whose files change. Has an effect
    /// only once.
    pub fn reload_at(&mut self, hangup: Signal, load: LoadAgain) {
        if let Some(reloader) = self.reloader.take() {
            self.workers.spawn(reload_at_hangup(reloader, hangup, load, self.manager.clone()));
        }
    }

    /// Runs until `stop` resolves, then stops in order. Accepted requests are answered and recorded accesses are written,
    /// as far as the drain timeout allows.
    ///
    /// # Errors
    /// If a worker died. The server has stopped then, too: half a server is worse than none.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), WorkerDied> {
        let result = tokio::select! {
            () = stop => Ok(()),
            died = self.node.died() => Err(died),
            died = self.acceptors.died() => Err(WorkerDied(died)),
            thread = self.validation_threads.died() => Err(WorkerDied(format!("validation thread {thread:?}"))),
            Some(ended) = self.workers.join_next() => Err(WorkerDied(format!("server worker: {ended:?}"))),
        };
        self.stop().await;
        result
    }

    /// Stops in this order:
    /// 1. Readiness fails. For `shutdown-delay`, everything else continues.
    /// 2. The listeners close. Connections that clients made before are still accepted.
    /// 3. Each connection ends with its next answer; one without a request ends a moment later.
    /// 4. Connections that are still open at the drain timeout are cut off.
    /// 5. The node writes the remaining accesses and stops, within the rest of the drain timeout, but at least 1 s.
    ///    Meanwhile, the last spans are exported, within 1 s.
    async fn stop(mut self) {
        self.node.readiness().drain();
        let (manager, longest) =
            (self.manager.clone(), self.shutdown_delay + self.drain_timeout + STOP_MARGIN);
        // Beside the stop, which does not wait for a slow manager.
        tokio::spawn(async move { manager.stopping(longest).await });
        sleep(self.shutdown_delay).await;
        let clock = self.node.service().clock().clone();
        let began_ms = clock.boottime_ms();
        self.acceptors.begin_drain();
        // The event streams would never end by themselves.
        self.node.service().store().feed().close();
        if timeout(self.drain_timeout, self.acceptors.drained()).await.is_err() {
            tracing::warn!("connections cut off at the drain timeout");
        }
        self.acceptors.shutdown().await;
        self.workers.shutdown().await;
        let spent = Duration::from_millis(clock.boottime_ms().saturating_sub(began_ms));
        let stop_traces = async {
            if let Some(traces) = self.traces {
                traces.stop().await;
            }
        };
        tokio::join!(self.node.stop_within(self.drain_timeout.saturating_sub(spent)), stop_traces);
    }
}
