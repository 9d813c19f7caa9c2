//! The hot path: is this token string good, now, on this transport?

mod batch;

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;

use crate::secret::{self, Kind, Presented};
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

/// What a token string is worth.
#[derive(Debug)]
pub enum Judgement {
    /// Valid, at this time in milliseconds since the Unix epoch.
    Valid(Arc<Credential>, u64),
    /// Forged, unknown, ended, expired, rotated out, or not allowed on the transport.
    Refused,
}

/// A judgement, or what is left to do for one.
pub enum Judged {
    /// Judged without waiting.
    Done(Result<Judgement, StoreError>),
    /// The token must be read: [`Validator::look_up`].
    MustRead(LookUp),
}

/// A token string with a right check tag whose record is not known here.
#[derive(Clone, Copy, Debug)]
pub struct LookUp {
    presented: Presented,
    via: Transport,
    access: Access,
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
        let judgement = match self.judge(wire, via, access) {
            Judged::Done(judgement) => judgement,
            Judged::MustRead(look_up) => self.look_up(look_up).await,
        };
        match judgement? {
            Judgement::Valid(credential, _) => Ok(Some(credential)),
            Judgement::Refused => Ok(None),
        }
    }

    /// Judges a token string as far as that goes without waiting.
    pub fn judge(&self, wire: &[u8], via: Transport, access: Access) -> Judged {
        let presented = self.service.with_check_keys(|keys| secret::parse(Kind::Token, keys, wire));
        let presented = match presented {
            Ok(Some(presented)) => presented,
            Ok(None) => {
                self.counters.forged.inc();
                return Judged::Done(Ok(Judgement::Refused));
            }
            Err(error) => {
                self.counters.unavailable.inc();
                return Judged::Done(Err(error));
            }
        };
        let look_up = LookUp { presented, via, access };
        match self.reader.known_credential(presented.id) {
            Some(credential) => Judged::Done(Ok(self.conclude(look_up, credential))),
            None => Judged::MustRead(look_up),
        }
    }

    /// Reads what a judgement lacks.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn look_up(&self, look_up: LookUp) -> Result<Judgement, StoreError> {
        match self.reader.credential(look_up.presented.id).await {
            Ok(credential) => Ok(self.conclude(look_up, credential)),
            Err(error) => {
                self.counters.unavailable.inc();
                Err(error)
            }
        }
    }

    fn conclude(&self, look_up: LookUp, credential: Option<Arc<Credential>>) -> Judgement {
        let LookUp { presented, via, access } = look_up;
        // Read after the look-up: a token that expired while we waited is expired.
        let now_ms = self.service.clock().now_ms();
        match credential.filter(|credential| credential.admits(&presented.hash, via, now_ms)) {
            Some(credential) => {
                self.counters.valid.inc();
                if access == Access::Recorded {
                    self.service.record_access(&credential, now_ms);
                }
                Judgement::Valid(credential, now_ms)
            }
            None => {
                self.counters.refused.inc();
                Judgement::Refused
            }
        }
    }
}
