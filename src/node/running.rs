//! A running node.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::cutoff_follower::follow_cutoffs;
use super::monitor::Monitor;
use super::readiness::Readiness;
use super::reporter::Reporter;
use super::start_error::StartError;
use super::start_up::{last_access_options, open_store, token_policy};
use crate::clock::Clock;
use crate::config::Config;
use crate::entropy::Entropy;
use crate::last_access::LastAccess;
use crate::service::Service;
use crate::service::token_keys::TokenKeySource;
use crate::service::walker::Walker;
use crate::store::Store;
use crate::validation::Validator;
use crate::validation::counters::AllValidations;

/// The minimum time for the last flush.
const MIN_LAST_FLUSH: Duration = Duration::from_secs(1);

/// A running node. It gives the same guarantees as a server and uses the same schema, so nodes in process and servers may
/// share a Redis.
///
/// Its workers run on the runtime on which it was started. A node that is dropped without [`Node::stop`] loses the
/// accesses that are not written yet.
pub struct Node {
    service: Arc<Service>,
    readiness: Readiness,
    validations: AllValidations,
    reporter: Arc<Reporter>,
    token_keys: Arc<TokenKeySource>,
    last_access: LastAccess,
    last_flush_timeout: Duration,
    workers: JoinSet<Infallible>,
}

/// A worker of a node has ended, which only a bug can cause.
#[derive(Debug, thiserror::Error)]
#[error("a worker died: {0}")]
pub struct WorkerDied(pub(crate) String);

impl Node {
    /// Starts a node with these settings, except the listeners', and inspects the store once.
    ///
    /// An unreachable store is not an error: until it is back, the node is not ready and its calls fail with
    /// `Unavailable`.
    ///
    /// With `rediss://`, rustls needs a cryptography provider for the process. To use another provider than ring, install
    /// it before.
    ///
    /// # Errors
    /// If the certificate authorities of Redis cannot be used, or if there is no randomness.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        Self::start_with(config, Clock::system(), Entropy::system()).await
    }

    /// [`Node::start`] with another clock and another source of randomness, for tests.
    ///
    /// # Errors
    /// See [`Node::start`].
    pub async fn start_with(config: &Config, clock: Clock, entropy: Entropy) -> Result<Self, StartError> {
        let store = open_store(config, &clock)?;
        let readiness = Readiness::default();
        let last_access = LastAccess::new(store.clone(), clock.clone(), last_access_options(config));
        let service =
            Service::new(store.clone(), clock, entropy.clone(), token_policy(config), last_access.clone());
        service.set_foreign_forms(config.foreign.clone());
        let service = Arc::new(service);
        let token_keys = Arc::new(TokenKeySource::new(config.token_keys.clone(), &entropy)?);
        let mut monitor = Monitor::new(service.clone(), readiness.clone(), token_keys.clone());
        monitor.first_probe().await;
        let validations = AllValidations::default();
        let reporter = Reporter::new(
            service.clone(),
            readiness.clone(),
            validations.clone(),
            &config.node_name,
            &entropy,
        )?;
        let reporter = Arc::new(reporter);
        let mut workers = JoinSet::new();
        workers.spawn(monitor.run());
        workers.spawn(last_access.clone().run());
        spawn_store_workers(&mut workers, store, service.clock().clone());
        workers.spawn(follow_cutoffs(service.clone()));
        workers.spawn(reporter.clone().run());
        workers.spawn(Walker::new(service.clone(), &entropy)?.run());
        Ok(Self {
            service,
            readiness,
            validations,
            reporter,
            token_keys,
            last_access,
            last_flush_timeout: Duration::from_millis(config.drain_timeout_ms),
            workers,
        })
    }

    /// Makes a validator with its own connection to the store. Make one validator per runtime and share it there:
    /// concurrent look-ups of a validator go to the store as one pipeline. A validator must stay on the runtime on which
    /// it was made.
    pub async fn validator(&self) -> Validator {
        Validator::new(self.service.clone(), self.validations.counters()).await
    }

    /// Returns the service that issues, shows, changes and revokes tokens.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Returns the readiness of this node.
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// Returns the counters of all validators of this node, for the metrics.
    pub(crate) fn validations(&self) -> &AllValidations {
        &self.validations
    }

    /// Returns the reporter, which knows the nodes of the store.
    pub(crate) fn reporter(&self) -> &Arc<Reporter> {
        &self.reporter
    }

    /// Returns the recorder of accesses, for the metrics.
    pub(crate) fn last_access(&self) -> &LastAccess {
        &self.last_access
    }

    /// Returns the source of the token keys, for a reload.
    pub(crate) fn token_keys(&self) -> &Arc<TokenKeySource> {
        &self.token_keys
    }

    /// Resolves if a worker has died, which only a bug can cause. Stop the node then, and preferably the process: the
    /// node's guarantees need all workers.
    pub async fn died(&mut self) -> WorkerDied {
        WorkerDied(format!("{:?}", self.workers.join_next().await))
    }

    /// Stops the workers, removes the node's report and writes the remaining accesses, for at most `drain-timeout` (at least 1 s).
    ///
    /// Drop the validators first. One lease after the stop, a validator that is still in use reads the store on each
    /// look-up, and the accesses that it records are lost.
    pub async fn stop(self) {
        let timeout = self.last_flush_timeout;
        self.stop_within(timeout).await;
    }

    /// [`Node::stop`] with another limit of time, but at least 1 s.
    pub(crate) async fn stop_within(mut self, timeout: Duration) {
        self.readiness.drain();
        self.workers.shutdown().await;
        // The store's timeout bounds each write; this bounds all of them together.
        let timeout = timeout.max(MIN_LAST_FLUSH);
        let last_writes = async { tokio::join!(self.last_access.flush(), self.reporter.remove()).0 };
        if !matches!(tokio::time::timeout(timeout, last_writes).await, Ok(Ok(()))) {
            tracing::warn!("last accesses not written at shutdown");
        }
    }
}

fn spawn_store_workers(workers: &mut JoinSet<Infallible>, store: Store, clock: Clock) {
    let (tracked, heard, watched) = (store.clone(), store.clone(), store.clone());
    workers.spawn(async move { tracked.track().await });
    workers.spawn(async move { heard.hear_events().await });
    workers.spawn(async move { watched.watch_data().await });
    workers.spawn(async move { store.expire(&clock).await });
}
