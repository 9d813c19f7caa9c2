//! The hot path: is this token string good, now, on this transport?

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;

use crate::secret::{self, Kind};
use crate::service::Service;
use crate::store::{Reader, StoreError};
use crate::token::{Credential, Transport};

/// Counts what validations came to. Each thread has its own, so that they do not contend.
#[derive(Clone, Debug, Default)]
pub struct ValidationCounters {
    /// Valid tokens.
    pub valid: Counter,
    /// Strings that carry no right check tag.
    pub forged: Counter,
    /// Once ours; now unknown, ended, expired, rotated out, or not allowed on the transport.
    pub refused: Counter,
    /// The store could not be asked.
    pub unavailable: Counter,
}

/// Validates tokens on one runtime.
pub struct Validator {
    service: Arc<Service>,
    reader: Reader,
    counters: ValidationCounters,
}

/// Whether a successful validation counts as an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It moves `last_access` and renews the token.
    Recorded,
    /// It leaves no trace.
    Exempt,
}

impl Validator {
    /// A validator for the runtime it is made on, whose connection its look-ups share.
    pub async fn new(service: Arc<Service>, counters: ValidationCounters) -> Self {
        let reader = service.store().reader().await;
        Self { service, reader, counters }
    }

    /// The use cases beside validation.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// The credential of a token string that is valid now over this transport; `None` when it is not.
    ///
    /// # Errors
    /// When that cannot be told.
    pub async fn validate(
        &self,
        wire: &[u8],
        via: Transport,
        access: Access,
    ) -> Result<Option<Arc<Credential>>, StoreError> {
        let outcome = self.judge(wire, via).await;
        match &outcome {
            Ok(Some((credential, now_ms))) => {
                self.counters.valid.inc();
                if access == Access::Recorded {
                    self.service.record_access(credential, *now_ms);
                }
            }
            Ok(None) => {}
            Err(_) => {
                self.counters.unavailable.inc();
            }
        }
        outcome.map(|valid| valid.map(|(credential, _)| credential))
    }

    async fn judge(&self, wire: &[u8], via: Transport) -> Result<Option<(Arc<Credential>, u64)>, StoreError> {
        let presented = self.service.with_check_keys(|keys| secret::parse(Kind::Token, keys, wire))?;
        let Some(presented) = presented else {
            self.counters.forged.inc();
            return Ok(None);
        };
        let credential = self.reader.credential(presented.id).await?;
        // Read after the look-up: a token that expired while we waited is expired.
        let now_ms = self.service.clock().now_ms();
        match credential.filter(|credential| credential.admits(&presented.hash, via, now_ms)) {
            Some(credential) => Ok(Some((credential, now_ms))),
            None => {
                self.counters.refused.inc();
                Ok(None)
            }
        }
    }
}
