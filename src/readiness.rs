//! Whether this node should get traffic, and the worker that finds out.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::entropy::Entropy;
use crate::secret::{CheckKeys, MAX_CHECK_KEYS};
use crate::service::Service;
use crate::store::StoreError;

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

/// Looks at the store in turns: can it be asked, what time is it there, are its check keys ours?
pub struct Monitor {
    service: Arc<Service>,
    readiness: Readiness,
    /// `None` when the keys are set by the operator and not shared through the store.
    shared_keys: Option<SharedKeys>,
}

/// The check keys when the store keeps them: its own first, older ones still verify.
struct SharedKeys {
    secrets: Vec<String>,
    proposed: String,
}

impl Monitor {
    /// A monitor that keeps the service's check keys in step with the store's, unless they are `configured`.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn new(
        service: Arc<Service>,
        readiness: Readiness,
        configured: Option<CheckKeys>,
        entropy: &Entropy,
    ) -> Result<Self, rand::rngs::SysError> {
        let shared_keys = match configured {
            Some(keys) => {
                service.set_check_keys(keys);
                None
            }
            None => {
                let proposed = URL_SAFE_NO_PAD.encode(entropy.bytes::<32>()?);
                Some(SharedKeys { secrets: Vec::new(), proposed })
            }
        };
        Ok(Self { service, readiness, shared_keys })
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
        if let Some(keys) = &mut self.shared_keys {
            keys.follow(&self.service).await.map_err(as_text)?;
        }
        probed.map_err(as_text)
    }

    /// The worker: looks again and again. Ends with its runtime.
    pub async fn run(mut self) -> Infallible {
        loop {
            tokio::time::sleep(PROBE_INTERVAL).await;
            self.look().await;
            self.service.store().collect_garbage(self.service.clock().now_ms());
        }
    }
}

impl SharedKeys {
    /// Adopts the store's key. A store that lost it gets the one this node used last; when another node was
    /// first, its key signs from now on and ours still verifies, so that no live token looks forged.
    async fn follow(&mut self, service: &Service) -> Result<(), StoreError> {
        let kept = service.store().shared_check_key(self.secrets.first().unwrap_or(&self.proposed)).await?;
        if self.secrets.first() == Some(&kept) {
            return Ok(());
        }
        if !self.secrets.is_empty() {
            tracing::warn!("the store has another check key than before; both are honoured from now on");
        }
        self.secrets.retain(|secret| *secret != kept);
        self.secrets.insert(0, kept);
        self.secrets.truncate(MAX_CHECK_KEYS);
        if let Some(keys) = CheckKeys::from_secrets(self.secrets.iter().map(String::as_str)) {
            service.set_check_keys(keys);
        }
        Ok(())
    }
}
