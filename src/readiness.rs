//! Whether this node should get traffic, and the worker that finds out.

mod fault_log;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use self::fault_log::FaultLog;
use crate::entropy::Entropy;
use crate::secret::{CheckKeys, MAX_CHECK_KEYS};
use crate::service::Service;
use crate::store::StoreError;
use crate::store::report::{Fault, FaultKind, Report};

/// The pause between two looks at the store.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);
/// A node whose clock differs more than this from the store's would end tokens early or late.
const MAX_CLOCK_SKEW_MS: u64 = 5_000;

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

/// Looks at the store in turns: can it be asked, does its clock agree, are its check keys ours?
pub struct Monitor {
    service: Arc<Service>,
    readiness: Readiness,
    /// `None` when the keys are set by the operator and not shared through the store.
    shared_keys: Option<SharedKeys>,
    log: FaultLog,
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
        Ok(Self { service, readiness, shared_keys, log: FaultLog::default() })
    }

    /// One look.
    pub async fn look(&mut self) {
        let mut report = self.service.store().inspect().await;
        // Of servers that are all away nothing more is asked. Where only some are, the tokens of the others are judged.
        let away = report.faults.iter().filter(|fault| fault.kind == FaultKind::Unreachable).count();
        let is_away = away > 0 && away >= report.masters.len();
        if !is_away
            && let Err(cause) = self.check().await
            && report.fatal().is_none()
        {
            let server = self.service.store().name();
            report.faults.push(Fault::new(FaultKind::Other, server, cause, "look at the server's log"));
        }
        let is_usable = report.fatal().is_none();
        let was_usable = self.readiness.0.store_usable.swap(is_usable, Ordering::Relaxed);
        self.log.update(&report, self.service.clock().boottime_ms());
        self.log.update_tracking(&report.masters);
        if is_usable && !was_usable {
            tracing::info!("store usable");
        }
        self.readiness.0.report.store(Arc::new(report));
    }

    async fn check(&mut self) -> Result<(), String> {
        let as_text = |error: StoreError| error.to_string();
        let probed = self.service.store().probe().await;
        // Also when a part of the store is away: the tokens of the other parts are judged all the same.
        if let Some(keys) = &mut self.shared_keys {
            keys.follow(&self.service).await.map_err(as_text)?;
        }
        let store_ms = probed.map_err(as_text)?;
        let skew_ms = store_ms.map_or(0, |ms| ms.abs_diff(self.service.clock().now_ms()));
        if skew_ms > MAX_CLOCK_SKEW_MS {
            return Err(format!("this node's clock is {skew_ms} ms away from the store's"));
        }
        Ok(())
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
