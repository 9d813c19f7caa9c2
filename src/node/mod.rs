//! A node without its listeners: the store, what is done with it, and the workers that belong to it. The server
//! ([`Server`](crate::server::Server)) is a node and two listeners; a frontend in Rust uses a node directly.

pub mod fault_log;
pub mod metrics;
pub mod readiness;
pub mod start_up;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use self::metrics::Metrics;
use self::readiness::{Monitor, Readiness};
pub use self::start_up::StartError;
use self::start_up::{last_access_options, open_store, token_policy};
use crate::clock::Clock;
use crate::config::definition::Config;
use crate::entropy::Entropy;
use crate::last_access::LastAccess;
use crate::service::Service;
use crate::service::token_keys::TokenKeySource;
use crate::validation::Validator;

/// The last write of accesses is given at least this.
const MIN_LAST_FLUSH: Duration = Duration::from_secs(1);

/// A running node. What it promises and keeps in the store is what the server promises and keeps: nodes of both
/// kinds may share a Redis.
///
/// Its workers run on the runtime it was started on. Dropped without [`Node::stop`], it loses the accesses that
/// were not written yet.
pub struct Node {
    service: Arc<Service>,
    readiness: Readiness,
    metrics: Arc<Metrics>,
    last_access: LastAccess,
    last_flush_timeout: Duration,
    workers: JoinSet<Infallible>,
    validators: AtomicUsize,
}

/// Why a running node cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("a worker died: {0}")]
pub struct WorkerDied(pub(crate) String);

impl Node {
    /// Starts a node with these settings; those of the listeners are not used. When this returns it has asked the
    /// store. A store that is away is no error: the node is then not ready, and answers `Unavailable` until it
    /// is back.
    ///
    /// With `rediss://`, rustls needs a cryptography provider for the process. An application that wants another one than
    /// ring installs it before.
    ///
    /// # Errors
    /// When the store's description is not usable, or there is no randomness.
    pub async fn start(config: &Config, clock: Clock, entropy: Entropy) -> Result<Self, StartError> {
        let store = open_store(config, &clock)?;
        let readiness = Readiness::default();
        let metrics = Arc::new(Metrics::new(readiness.clone(), store.clone()));
        let last_access = LastAccess::new(
            store.clone(),
            clock.clone(),
            last_access_options(config),
            metrics.last_access.clone(),
        );
        let service =
            Service::new(store.clone(), clock, entropy.clone(), token_policy(config), last_access.clone());
        let service = Arc::new(service);
        let token_keys = TokenKeySource::new(config.token_keys.clone(), &entropy)?;
        let mut monitor = Monitor::new(service.clone(), readiness.clone(), token_keys);
        monitor.first_look().await;
        let mut workers = JoinSet::new();
        workers.spawn(monitor.run());
        workers.spawn(last_access.clone().run());
        let (tracked, heard, expired) = (store.clone(), store.clone(), store);
        workers.spawn(async move { tracked.track().await });
        workers.spawn(async move { heard.hear_events().await });
        let clock = service.clock().clone();
        workers.spawn(async move { expired.expire(&clock).await });
        Ok(Self {
            service,
            readiness,
            metrics,
            last_access,
            last_flush_timeout: Duration::from_millis(config.drain_timeout_ms),
            workers,
            validators: AtomicUsize::new(0),
        })
    }

    /// A validator with a connection of its own to the store. Make one per runtime and share it there: look-ups of
    /// one validator that come at the same time go to the store together, and it must stay on the runtime it was
    /// made on.
    pub async fn validator(&self) -> Validator {
        let number = self.validators.fetch_add(1, Ordering::Relaxed);
        self.validator_named(format!("in-process-{number}")).await
    }

    /// [`Node::validator`], counted under this name.
    pub(crate) async fn validator_named(&self, name: String) -> Validator {
        Validator::new(self.service.clone(), self.metrics.counters_of(name)).await
    }

    /// What a login service does: issue, show, change and end tokens.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Whether the store can be asked.
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// What is counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Resolves when a worker has died, which only a bug makes it do. Nothing goes on without it for long: stop the
    /// node, and best the process.
    pub async fn died(&mut self) -> WorkerDied {
        WorkerDied(format!("{:?}", self.workers.join_next().await))
    }

    /// Stops the workers and writes the accesses that are left, for at most `drain-timeout` (at least 1 s).
    /// Validators that are still used ask the store each time from one lease later on, and what they record is
    /// lost; so let go of them first.
    pub async fn stop(self) {
        let timeout = self.last_flush_timeout;
        self.stop_within(timeout).await;
    }

    /// [`Node::stop`] in less time, but at least 1 s.
    pub(crate) async fn stop_within(mut self, timeout: Duration) {
        self.readiness.drain();
        self.workers.shutdown().await;
        // The store's own timeout bounds each write; this bounds them all.
        let timeout = timeout.max(MIN_LAST_FLUSH);
        let flushed = tokio::time::timeout(timeout, self.last_access.flush()).await;
        if !matches!(flushed, Ok(Ok(()))) {
            tracing::warn!("last accesses left unwritten");
        }
    }
}
