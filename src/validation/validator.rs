//! The hot path: is this token string good, now, on this transport?

use super::identity::Identity;

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;

use crate::model::token::{RecordVerdict, TokenRecord, Transport};
use crate::service::Service;
use crate::service::core::no_token_keys;
use crate::store::StoreError;
use crate::store::cache::near_cache::Looked;
use crate::store::record_read::RecordRead;
use crate::store::record_reader::RecordReader;
use crate::token_string::{Claim, Kind, Presented, SecretHash, TokenId, TokenKeys};

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
    pub(crate) service: Arc<Service>,
    pub(crate) reader: RecordReader,
    pub(crate) counters: ValidationCounters,
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
    Valid(&'a Arc<TokenRecord>, u64),
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

/// A token string with a right check tag that the record known here does not settle.
#[derive(Clone, Copy, Debug)]
pub struct LookUp {
    presented: Presented,
    /// `None` where what carried it is not asked.
    via: Option<Transport>,
    access: Access,
    missing: Missing,
}

/// What a judgement lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The record: none is known here.
    Record,
    /// A record of now: the one known here may be older than the rotation that handed this secret out, or than a renewal.
    FreshRecord,
    /// Nothing but the revocation that the reuse of a rotated-out secret brings.
    Revocation,
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
        token_string: &[u8],
        via: Transport,
        access: Access,
    ) -> Result<Option<Identity>, StoreError> {
        let kept = |judgement: Result<Judgement<'_>, StoreError>| match judgement? {
            Judgement::Valid(record, now_ms) => Ok(Some(Identity::new(record.clone(), now_ms))),
            Judgement::Pending | Judgement::Refused => Ok(None),
        };
        match self.judge(token_string, via, access, kept) {
            Judged::Done(shown) => shown,
            Judged::MustRead(look_up) => self.in_time(self.look_up(look_up, kept)).await,
        }
    }

    /// What a look-up finds out, or `Unavailable` when nobody drives the connection that it goes by.
    pub(crate) async fn in_time<T>(
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
        token_string: &[u8],
        via: Transport,
        access: Access,
        show: impl Fn(Result<Judgement<'_>, StoreError>) -> R,
    ) -> R {
        match self.judge(token_string, via, access, &show) {
            Judged::Done(shown) => shown,
            Judged::MustRead(look_up) => self.look_up(look_up, show).await,
        }
    }

    /// The live token that a string opens or will open once its second factor was shown, whatever may carry it;
    /// `None` when there is none. This is no access.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn opened(&self, token_string: &[u8]) -> Result<Option<TokenId>, StoreError> {
        let Some(presented) = self.service.parse(Kind::Token, token_string)? else { return Ok(None) };
        let look_up = LookUp { presented, via: None, access: Access::Exempt, missing: Missing::Record };
        let record = self.read(look_up).await?;
        let now_ms = self.service.clock().now_ms();
        // Also an expired one: the store decides, and forgets what another node may be about to renew.
        let is_opened = |record: &Arc<TokenRecord>| record.is_opened_by(&presented.hash, now_ms);
        Ok(record.filter(is_opened).map(|record| record.id))
    }

    /// Judges a token string as far as that goes without waiting. `show` is called for what is known, at most once,
    /// and must be short: the record is held still meanwhile.
    pub fn judge<R>(
        &self,
        token_string: &[u8],
        via: Transport,
        access: Access,
        show: impl FnOnce(Result<Judgement<'_>, StoreError>) -> R,
    ) -> Judged<R> {
        let keys = self.service.token_keys();
        let Some(keys) = keys.as_deref() else {
            self.counters.unavailable.inc();
            return Judged::Done(show(Err(no_token_keys())));
        };
        let Some(claim) = Claim::read(Kind::Token, token_string) else {
            self.counters.forged.inc();
            return Judged::Done(show(Ok(Judgement::Refused)));
        };
        self.reader.look(claim.id(), |known| {
            let Some(presented) =
                claim.verify_known(keys, known.flatten().map(|record| record.known_secret()))
            else {
                return Looked::NoHit(Judged::Done(show(self.unverified(keys))));
            };
            let look_up = LookUp { presented, via: Some(via), access, missing: Missing::Record };
            match known.map(|record| self.conclude(look_up, record, true)) {
                Some(Ok(judgement)) => Looked::Hit(Judged::Done(show(Ok(judgement)))),
                Some(Err(missing)) => {
                    Looked::NoHit(self.judge_earned(LookUp { missing, ..look_up }, known.flatten(), show))
                }
                None => Looked::NoHit(Judged::MustRead(look_up)),
            }
        })
    }

    /// Judges by a known record that has expired and by what this node has earned on it; else it must be read.
    #[cold]
    fn judge_earned<R>(
        &self,
        look_up: LookUp,
        known: Option<&Arc<TokenRecord>>,
        show: impl FnOnce(Result<Judgement<'_>, StoreError>) -> R,
    ) -> Judged<R> {
        let now_ms = self.service.clock().now_ms();
        let expired = known.filter(|record| record.has_expired(now_ms));
        let Some(earned) = expired.and_then(|record| self.service.with_earned(record, now_ms)) else {
            return Judged::MustRead(look_up);
        };
        match self.conclude(look_up, Some(&earned), false) {
            Ok(judgement) => Judged::Done(show(Ok(judgement))),
            Err(missing) => Judged::MustRead(LookUp { missing, ..look_up }),
        }
    }

    /// What a string is worth that none of these keys verifies.
    fn unverified(&self, keys: &TokenKeys) -> Result<Judgement<'static>, StoreError> {
        if keys.may_lack_one() {
            self.counters.unavailable.inc();
            return Err(no_token_keys());
        }
        self.counters.forged.inc();
        Ok(Judgement::Refused)
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
            Ok(judgement) => show(Ok(judgement)),
            // What it lacked was done, and it does not fit all the same.
            Err(_) => show(self.refuse(record.as_ref()).map(|()| Judgement::Refused)),
        }
    }

    /// Refuses a string by the record that was read for it.
    ///
    /// # Errors
    /// `Unavailable` while it cannot be told whether the record has expired: another node may have a renewal to write that
    /// it earned during an outage.
    pub(crate) fn refuse(&self, read: Option<&Arc<TokenRecord>>) -> Result<(), StoreError> {
        let now_ms = self.service.clock().now_ms();
        if let Some(record) = read.filter(|record| record.has_expired(now_ms)) {
            if self.reader.may_be_renewed(record, now_ms) {
                self.counters.unavailable.inc();
                let reason = "the token has expired, unless another node is about to write a renewal";
                return Err(StoreError::Unavailable(reason.into()));
            }
            record.accesses.confirm_expiry();
        }
        self.counters.refused.inc();
        Ok(())
    }

    /// The record to judge by: one that the secret fits, if there is. While the store cannot be asked, one that lets the
    /// string pass, or none.
    async fn read(&self, look_up: LookUp) -> Result<Option<Arc<TokenRecord>>, StoreError> {
        match self.read_store(look_up).await {
            Err(error @ StoreError::Unavailable(_)) => {
                self.stale(&look_up.presented, look_up.via).map(Some).ok_or(error)
            }
            outcome => outcome,
        }
    }

    /// What is known here while the store cannot be asked, if it lets the string pass. It refuses none: what it would refuse
    /// may have changed meanwhile.
    pub(crate) fn stale(&self, presented: &Presented, via: Option<Transport>) -> Option<Arc<TokenRecord>> {
        let record = self.reader.stale_record(presented.id).map(|record| self.renewed(record))?;
        let verdict = record.judge(&presented.hash, via, self.service.clock().now_ms());
        (verdict == RecordVerdict::Admitted).then_some(record)
    }

    /// The record with what this node has earned on it, where that counts.
    pub(crate) fn renewed(&self, record: Arc<TokenRecord>) -> Arc<TokenRecord> {
        let now_ms = self.service.clock().now_ms();
        match record.has_expired(now_ms) {
            true => self.service.with_earned(&record, now_ms).unwrap_or(record),
            false => record,
        }
    }

    /// The record as the store has it: one that the secret fits, if there is.
    async fn read_store(&self, look_up: LookUp) -> Result<Option<Arc<TokenRecord>>, StoreError> {
        let Presented { id, hash } = look_up.presented;
        let read = match look_up.missing {
            Missing::Record => self.reader.read(id).await?,
            Missing::FreshRecord => {
                RecordRead { record: self.reader.fresh_record(id).await?, is_fresh: true }
            }
            Missing::Revocation => {
                self.service.secret_reused(id, &hash).await?;
                return Ok(None);
            }
        };
        self.settle(look_up.presented, read).await
    }

    /// The record to judge this secret by: the one that was read, or a fresh one if that one does not know the secret or has
    /// expired.
    /// Has a rotated-out secret revoke its token, and keeps in mind a secret that the store does not know.
    pub(crate) async fn settle(
        &self,
        presented: Presented,
        read: RecordRead,
    ) -> Result<Option<Arc<TokenRecord>>, StoreError> {
        let Presented { id, hash } = presented;
        let verdict = |record: &Option<Arc<TokenRecord>>| {
            let now_ms = self.service.clock().now_ms();
            record.as_ref().map_or(RecordVerdict::Refused, |record| record.judge(&hash, None, now_ms))
        };
        let is_fresh = read.is_fresh;
        let mut record = read.record.map(|record| self.renewed(record));
        let is_known = record.as_ref().is_some_and(|record| record.refused.contains(&hash));
        let may_be_old = matches!(verdict(&record), RecordVerdict::WrongSecret | RecordVerdict::Expired);
        if !is_fresh && !is_known && may_be_old {
            record = self.reader.fresh_record(id).await?.map(|record| self.renewed(record));
        }
        match (verdict(&record), &record) {
            (RecordVerdict::RotatedOut, _) => self.service.secret_reused(id, &hash).await?,
            (RecordVerdict::WrongSecret, Some(record)) => record.refused.add(&hash),
            _ => {}
        }
        Ok(record)
    }

    /// The judgement by this record, or what it lacks. `is_kept` tells whether others will judge by this copy of the
    /// record, too.
    fn conclude<'a>(
        &self,
        look_up: LookUp,
        record: Option<&'a Arc<TokenRecord>>,
        is_kept: bool,
    ) -> Result<Judgement<'a>, Missing> {
        let LookUp { presented, via, access, .. } = look_up;
        // Read after the look-up: a token that expired while we waited is expired.
        let now_ms = self.service.clock().now_ms();
        let verdict =
            record.map_or(RecordVerdict::Refused, |record| record.judge(&presented.hash, via, now_ms));
        match (verdict, record) {
            (RecordVerdict::Admitted, Some(record)) => {
                self.counters.valid.inc();
                if access == Access::Recorded {
                    self.service.record_access(record, now_ms, is_kept);
                }
                Ok(Judgement::Valid(record, now_ms))
            }
            (RecordVerdict::Pending, _) => {
                self.counters.pending.inc();
                Ok(Judgement::Pending)
            }
            (verdict, record) => match self.missing(verdict, record, &presented.hash) {
                Some(missing) => Err(missing),
                None => {
                    self.counters.refused.inc();
                    Ok(Judgement::Refused)
                }
            },
        }
    }

    /// What the store must be asked for before a secret of this verdict is refused. Nothing for a secret that is known
    /// never to become right again, and for a record that has surely expired.
    pub(crate) fn missing(
        &self,
        verdict: RecordVerdict,
        record: Option<&Arc<TokenRecord>>,
        secret_hash: &SecretHash,
    ) -> Option<Missing> {
        let has_surely_expired = || record.is_some_and(|record| record.accesses.has_surely_expired());
        let is_refused = || record.is_some_and(|record| record.refused.contains(secret_hash));
        match verdict {
            RecordVerdict::RotatedOut => {
                self.service.policy().reuse_ends_token.then_some(Missing::Revocation)
            }
            RecordVerdict::WrongSecret => (!is_refused()).then_some(Missing::FreshRecord),
            RecordVerdict::Expired => (!has_surely_expired()).then_some(Missing::FreshRecord),
            _ => None,
        }
    }
}
