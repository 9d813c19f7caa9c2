//! The hot path: is this token string good, now, on this transport?

mod batch;

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;

use crate::secret::{self, Kind, Presented};
use crate::service::Service;
use crate::store::{Reader, StoreError};
use crate::token::{Credential, Transport, Verdict};

/// Counts what validations came to. Each thread has its own, so that they do not contend.
#[derive(Clone, Debug, Default)]
pub struct ValidationCounters {
    /// Valid tokens.
    pub valid: Counter,
    /// Strings that carry no right check tag.
    pub forged: Counter,
    /// Once ours; now unknown, ended, expired, rotated out, or not allowed on the transport.
    pub refused: Counter,
    /// Good tokens whose second factor is still to be shown.
    pub pending: Counter,
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
    /// Good, but its second factor is still to be shown: it opens nothing yet.
    Pending,
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

/// A token string with a right check tag whose record is not known here, or does not fit its secret.
#[derive(Clone, Copy, Debug)]
pub struct LookUp {
    presented: Presented,
    via: Transport,
    access: Access,
    /// The record known here has another secret: only what the store says now counts.
    must_be_fresh: bool,
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

    /// The credential of a token string that is valid now over this transport; `None` when it is not, or not yet
    /// (its second factor is still to be shown).
    ///
    /// # Errors
    /// When that cannot be told.
    pub async fn validate(
        &self,
        wire: &[u8],
        via: Transport,
        access: Access,
    ) -> Result<Option<Arc<Credential>>, StoreError> {
        match self.judgement(wire, via, access).await? {
            Judgement::Valid(credential, _) => Ok(Some(credential)),
            Judgement::Pending | Judgement::Refused => Ok(None),
        }
    }

    /// What a token string is worth now over this transport.
    ///
    /// # Errors
    /// When that cannot be told.
    pub async fn judgement(
        &self,
        wire: &[u8],
        via: Transport,
        access: Access,
    ) -> Result<Judgement, StoreError> {
        match self.judge(wire, via, access) {
            Judged::Done(judgement) => judgement,
            Judged::MustRead(look_up) => self.look_up(look_up).await,
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
        let look_up = LookUp { presented, via, access, must_be_fresh: false };
        match self.reader.known_credential(presented.id) {
            Some(credential) => match self.conclude(look_up, credential) {
                Some(judgement) => Judged::Done(Ok(judgement)),
                None => Judged::MustRead(LookUp { must_be_fresh: true, ..look_up }),
            },
            None => Judged::MustRead(look_up),
        }
    }

    /// Reads what a judgement lacks.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn look_up(&self, look_up: LookUp) -> Result<Judgement, StoreError> {
        let judgement = self.read_and_conclude(look_up).await;
        if judgement.is_err() {
            self.counters.unavailable.inc();
        }
        judgement
    }

    async fn read_and_conclude(&self, look_up: LookUp) -> Result<Judgement, StoreError> {
        let Presented { id, hash } = look_up.presented;
        if !look_up.must_be_fresh
            && let Some(judgement) = self.conclude(look_up, self.reader.credential(id).await?)
        {
            return Ok(judgement);
        }
        // What was known may be older than the rotation that made this secret the right one.
        if let Some(judgement) = self.conclude(look_up, self.reader.fresh_credential(id).await?) {
            return Ok(judgement);
        }
        self.service.secret_reused(id, &hash).await?;
        self.counters.refused.inc();
        Ok(Judgement::Refused)
    }

    /// `None` when the secret is another one than the record's.
    fn conclude(&self, look_up: LookUp, credential: Option<Arc<Credential>>) -> Option<Judgement> {
        let LookUp { presented, via, access, .. } = look_up;
        // Read after the look-up: a token that expired while we waited is expired.
        let now_ms = self.service.clock().now_ms();
        let verdict = match &credential {
            Some(credential) => credential.judge(&presented.hash, Some(via), now_ms),
            None => Verdict::Refused,
        };
        match (verdict, credential) {
            (Verdict::Admitted, Some(credential)) => {
                self.counters.valid.inc();
                if access == Access::Recorded {
                    self.service.record_access(&credential, now_ms);
                }
                Some(Judgement::Valid(credential, now_ms))
            }
            (Verdict::WrongSecret, _) => None,
            (Verdict::Pending, _) => {
                self.counters.pending.inc();
                Some(Judgement::Pending)
            }
            _ => {
                self.counters.refused.inc();
                Some(Judgement::Refused)
            }
        }
    }
}
