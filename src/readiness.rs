//! Whether this node should get traffic, and the worker that finds out.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::service::Service;
use crate::store::StoreError;
use crate::token_keys::TokenKeys;

/// The pause between two looks at the store.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);

/// Ready or not; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<State>);

#[derive(Debug, Default)]
struct State {
    store_usable: AtomicBool,
    draining: AtomicBool,
}

impl Readiness {
    /// True while the store can be asked and the node is not draining.
    pub fn is_ready(&self) -> bool {
        self.0.store_usable.load(Ordering::Relaxed) && !self.0.draining.load(Ordering::Relaxed)
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
    token_keys: TokenKeys,
}

impl Monitor {
    /// A monitor that keeps the service's token keys in step with the store's.
    pub fn new(service: Arc<Service>, readiness: Readiness, token_keys: TokenKeys) -> Self {
        token_keys.begin(&service);
        Self { service, readiness, token_keys }
    }

    /// One look. Logs only changes.
    pub async fn look(&mut self) {
        let result = self.check().await;
        let was_usable = self.readiness.0.store_usable.swap(result.is_ok(), Ordering::Relaxed);
        match (was_usable, result) {
            (false, Ok(())) => tracing::info!("the store can be asked"),
            (true, Err(reason)) => tracing::error!(reason, "not ready"),
            (false, Err(reason)) => tracing::debug!(reason, "still not ready"),
            (true, Ok(())) => {}
        }
    }

    async fn check(&mut self) -> Result<(), String> {
        let as_text = |error: StoreError| error.to_string();
        let probed = self.service.store().probe().await;
        if let Err(error @ StoreError::Corrupt { .. }) = probed {
            return Err(as_text(error));
        }
        // Also when a part of the store is away: the tokens of the other parts are judged all the same.
        self.token_keys.follow(&self.service).await.map_err(as_text)?;
        probed.map_err(as_text)
    }

    /// The worker: looks again and again. Ends with its runtime.
    pub async fn run(mut self) -> Infallible {
        loop {
            tokio::time::sleep(PROBE_INTERVAL).await;
            self.look().await;
        }
    }
}
