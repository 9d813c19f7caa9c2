//! The hot path: is this token string good, now, on this transport?

mod batch;
mod identity;

pub use batch::BatchToken;
pub use identity::Identity;

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;

use crate::secret::{self, Claim, Kind, Presented, TokenId};
use crate::service::{Service, no_check_keys};
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

/// What a token string is worth. Shown while the record is at hand: to keep it, clone it.
#[derive(Clone, Copy, Debug)]
pub enum Judgement<'a> {
    /// Valid, at this time in milliseconds since the Unix epoch.
    Valid(&'a Arc<Credential>, u64),
    /// Good, but its second factor is still to be shown: it opens nothing yet.
    Pending,
    /// Forged, unknown, ended, expired, rotated out, or not allowed on the transport.
    Refused,
}

/// A judgement, or what is left to do for one.
pub enum Judged<R> {
    /// Judged without waiting, and what was made of that.
    Done(R),
    /// The token must be read: [`Validator::look_up`].
    MustRead(LookUp),
}

/// A token string with a right check tag whose record is not known here, or does not fit its secret.
#[derive(Clone, Copy, Debug)]
pub struct LookUp {
    presented: Presented,
    /// `None` where what carried it is not asked.
    via: Option<Transport>,
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

    /// Who is behind a token string that is valid now over this transport; `None` when it is not, or not yet (its second
    /// factor is still to be shown).
    ///
    /// # Errors
    /// When that cannot be told: also when the runtime that the validator was made on has ended or stands still.
    pub async fn validate(
        &self,
        wire: &[u8],
        via: Transport,
        access: Access,
    ) -> Result<Option<Identity>, StoreError> {
        let kept = |judgement: Result<Judgement<'_>, StoreError>| match judgement? {
            Judgement::Valid(credential, now_ms) => Ok(Some(Identity::new(credential.clone(), now_ms))),
            Judgement::Pending | Judgement::Refused => Ok(None),
        };
        match self.judge(wire, via, access, kept) {
            Judged::Done(shown) => shown,
            Judged::MustRead(look_up) => self.in_time(self.look_up(look_up, kept)).await,
        }
    }

    /// What a look-up finds out, or `Unavailable` when nobody drives the connection that it goes by.
    async fn in_time<T>(
        &self,
        look_up: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match self.service.store().look_up_limit() {
            // Without a runtime there is no timer either.
            Some(limit) if tokio::runtime::Handle::try_current().is_ok() => {
                let outcome = tokio::time::timeout(limit, look_up).await;
                outcome.unwrap_or_else(|_| Err(StoreError::Unavailable("no answer in time".into())))
            }
            _ => look_up.await,
        }
    }

    /// What a token string is worth now over this transport, and what `show` makes of it.
    pub async fn judgement<R>(
        &self,
        wire: &[u8],
        via: Transport,
        access: Access,
        show: impl Fn(Result<Judgement<'_>, StoreError>) -> R,
    ) -> R {
        match self.judge(wire, via, access, &show) {
            Judged::Done(shown) => shown,
            Judged::MustRead(look_up) => self.look_up(look_up, show).await,
        }
    }

    /// The live token that a string opens or will open once its second factor was shown, whatever may carry it;
    /// `None` when there is none. This is no access.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn opened(&self, wire: &[u8]) -> Result<Option<TokenId>, StoreError> {
        let presented = self.service.with_check_keys(|keys| secret::parse(Kind::Token, keys, wire))?;
        let Some(presented) = presented else { return Ok(None) };
        let look_up = LookUp { presented, via: None, access: Access::Exempt, must_be_fresh: false };
        let record = self.read(look_up).await?;
        let now_ms = self.service.clock().now_ms();
        let is_opened = |record: &Arc<Credential>| {
            matches!(record.judge(&presented.hash, None, now_ms), Verdict::Admitted | Verdict::Pending)
        };
        Ok(record.filter(is_opened).map(|record| record.id))
    }

    /// Judges a token string as far as that goes without waiting. `show` is called for what is known, at most once,
    /// and must be short: the record is held still meanwhile.
    pub fn judge<R>(
        &self,
        wire: &[u8],
        via: Transport,
        access: Access,
        show: impl FnOnce(Result<Judgement<'_>, StoreError>) -> R,
    ) -> Judged<R> {
        let keys = self.service.check_keys();
        let Some(keys) = keys.as_deref() else {
            self.counters.unavailable.inc();
            return Judged::Done(show(Err(no_check_keys())));
        };
        let Some(claim) = Claim::read(Kind::Token, wire) else {
            self.counters.forged.inc();
            return Judged::Done(show(Ok(Judgement::Refused)));
        };
        self.reader.look(claim.id(), |known| {
            let Some(presented) = claim.verify_known(keys, known.flatten()) else {
                self.counters.forged.inc();
                return Judged::Done(show(Ok(Judgement::Refused)));
            };
            let look_up = LookUp { presented, via: Some(via), access, must_be_fresh: false };
            match known.map(|record| self.conclude(look_up, record, true)) {
                Some(Some(judgement)) => Judged::Done(show(Ok(judgement))),
                Some(None) => Judged::MustRead(LookUp { must_be_fresh: true, ..look_up }),
                None => Judged::MustRead(look_up),
            }
        })
    }

    /// Reads what a judgement lacks; `show` is called for it. The errors are `Unavailable` and `Corrupt`.
    pub async fn look_up<R>(
        &self,
        look_up: LookUp,
        show: impl FnOnce(Result<Judgement<'_>, StoreError>) -> R,
    ) -> R {
        let record = match self.read(look_up).await {
            Ok(record) => record,
            Err(error) => {
                self.counters.unavailable.inc();
                return show(Err(error));
            }
        };
        // A copy that nobody else holds goes with this call.
        let is_kept = record.as_ref().is_some_and(|record| Arc::strong_count(record) > 1);
        match self.conclude(look_up, record.as_ref(), is_kept) {
            Some(judgement) => show(Ok(judgement)),
            None => {
                self.counters.refused.inc();
                show(Ok(Judgement::Refused))
            }
        }
    }

    /// The record to judge by: one that the secret fits, if there is.
    async fn read(&self, look_up: LookUp) -> Result<Option<Arc<Credential>>, StoreError> {
        let Presented { id, hash } = look_up.presented;
        let fits = |record: &Option<Arc<Credential>>| {
            let now_ms = self.service.clock().now_ms();
            record
                .as_ref()
                .is_none_or(|record| record.judge(&hash, look_up.via, now_ms) != Verdict::WrongSecret)
        };
        if !look_up.must_be_fresh {
            let record = self.reader.credential(id).await?;
            if fits(&record) {
                return Ok(record);
            }
        }
        // What was known may be older than the rotation that made this secret the right one.
        let record = self.reader.fresh_credential(id).await?;
        if !fits(&record) {
            self.service.secret_reused(id, &hash).await?;
        }
        Ok(record)
    }

    /// `None` when the secret is another one than the record's. `is_kept` tells whether others will judge by this copy
    /// of the record, too.
    fn conclude<'a>(
        &self,
        look_up: LookUp,
        record: Option<&'a Arc<Credential>>,
        is_kept: bool,
    ) -> Option<Judgement<'a>> {
        let LookUp { presented, via, access, .. } = look_up;
        // Read after the look-up: a token that expired while we waited is expired.
        let now_ms = self.service.clock().now_ms();
        let verdict = record.map_or(Verdict::Refused, |record| record.judge(&presented.hash, via, now_ms));
        match (verdict, record) {
            (Verdict::Admitted, Some(record)) => {
                self.counters.valid.inc();
                if access == Access::Recorded {
                    self.service.record_access(record, now_ms, is_kept);
                }
                Some(Judgement::Valid(record, now_ms))
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
