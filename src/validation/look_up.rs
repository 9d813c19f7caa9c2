//! Reads the record that a judgement lacks, and judges by it.

use std::sync::Arc;

use super::counters::{JudgedBy, ValidationResult};
use super::judgement::{Asked, Judgement, LookUp, Missing, Sought};
use super::validator::Validator;
use crate::clock::ClockReading;
use crate::foreign::ForeignDigest;
use crate::logging::audit::AuditedRequest;
use crate::model::token::{KnownRecord, RecordVerdict, TokenRecord, Transport};
use crate::store::StoreError;
use crate::store::record_read::RecordRead;
use crate::token_string::VerifiedToken;

/// The record to judge a string by.
pub(crate) struct CurrentRecord {
    /// `None` if there is no such token.
    pub(crate) record: Option<Arc<TokenRecord>>,
    /// The time after the read: a token that expired during it is expired.
    pub(crate) read_at: ClockReading,
}

impl Validator {
    /// Reads what a judgement lacks, and returns what `show` makes of the judgement, which is counted and timed. The errors
    /// are `Unavailable` and `Corrupt`. `request` carried the string, if it is known.
    pub async fn look_up<R>(
        &self,
        look_up: &LookUp,
        request: Option<&AuditedRequest>,
        show: impl FnOnce(Result<Judgement<'_>, StoreError>) -> R,
    ) -> R {
        let asked = Asked { request, ..look_up.asked };
        let read = match &look_up.sought {
            Sought::Record(verified, missing) => {
                self.read(verified, *missing, asked).await.map(|current| Some((*verified, current)))
            }
            // Boxed, so that the state of other look-ups is no larger for it.
            Sought::Alias(digests) => Box::pin(self.resolve_and_read(digests.clone(), asked)).await,
        };
        let read_at = match &read {
            Ok(Some((_, current))) => current.read_at,
            _ => self.service.clock().reading(),
        };
        let judgement = match &read {
            Ok(Some((verified, current))) => self.judge_read(verified, asked, current),
            Ok(None) => Ok(Judgement::Refused),
            Err(error) => Err(error.clone()),
        };
        let result = judgement.as_ref().map_or(ValidationResult::Unavailable, Judgement::result);
        let shown = show(judgement);
        let took_ns = read_at.boottime_ns.saturating_sub(asked.began.boottime_ns);
        self.counters.add(result, JudgedBy::Redis, took_ns);
        shown
    }

    /// Looks up whose token a foreign string is, and reads the record. `None` if the token was not imported.
    async fn resolve_and_read(
        &self,
        digests: Box<[ForeignDigest]>,
        asked: Asked<'_>,
    ) -> Result<Option<(VerifiedToken, CurrentRecord)>, StoreError> {
        let Some(verified) = self.resolve(digests, asked.client()).await? else { return Ok(None) };
        let current = self.read(&verified, Missing::Record, asked).await?;
        Ok(Some((verified, current)))
    }

    fn judge_read<'a>(
        &self,
        verified: &VerifiedToken,
        asked: Asked<'_>,
        CurrentRecord { record, read_at }: &'a CurrentRecord,
    ) -> Result<Judgement<'a>, StoreError> {
        let read = record.as_ref();
        // A copy without another owner is dropped after the judgement.
        let is_kept = read.is_some_and(|record| Arc::strong_count(record) > 1);
        match self.conclude(verified, asked, read.map(KnownRecord::from), is_kept, read_at.now_ms) {
            Ok(judgement) => Ok(judgement),
            // It was read all the same.
            Err(_) => self.refuse(read).map(|()| Judgement::Refused),
        }
    }

    /// Refuses a string by the record that was read for it.
    ///
    /// # Errors
    /// `Unavailable` if the record has expired and another node may have a renewal to write that it earned during an outage.
    pub(crate) fn refuse(&self, read: Option<&Arc<TokenRecord>>) -> Result<(), StoreError> {
        let now_ms = self.service.clock().now_ms();
        // A renewal changes nothing for a locked token.
        if let Some(record) = read.filter(|record| record.has_expired(now_ms) && !record.is_locked()) {
            if self.reader.may_be_renewed(record, now_ms) {
                let reason = "the token has expired, unless another node is about to write a renewal";
                return Err(StoreError::Unavailable(reason.into()));
            }
            record.accesses.confirm_expiry();
        }
        Ok(())
    }

    /// Returns the record to judge by, one that the secret fits if there is one. While the store cannot be asked, a known
    /// record that admits the string.
    pub(crate) async fn read(
        &self,
        verified: &VerifiedToken,
        missing: Missing,
        asked: Asked<'_>,
    ) -> Result<CurrentRecord, StoreError> {
        match self.read_store(verified, missing, asked.request).await {
            Err(error @ StoreError::Unavailable(_)) => {
                let read_at = self.service.clock().reading();
                let record = self.stale(verified, asked.via, read_at.now_ms).ok_or(error)?;
                Ok(CurrentRecord { record: Some(record), read_at })
            }
            outcome => outcome,
        }
    }

    /// Returns the known record while the store cannot be asked, if it admits the string. It cannot refuse a string: the
    /// record may have changed in the store.
    pub(crate) fn stale(
        &self,
        verified: &VerifiedToken,
        via: Option<Transport>,
        now_ms: u64,
    ) -> Option<Arc<TokenRecord>> {
        let record = self.reader.stale_record(verified.id).map(|record| self.renewed(record, now_ms))?;
        let verdict = self.verdict(verified, Some(&record), via, now_ms);
        (verdict == RecordVerdict::Admitted).then_some(record)
    }

    /// Applies the renewals that this node has earned and not written yet to an expired record.
    pub(crate) fn renewed(&self, record: Arc<TokenRecord>, now_ms: u64) -> Arc<TokenRecord> {
        match record.has_expired(now_ms) {
            true => self.service.with_earned(&record, now_ms).unwrap_or(record),
            false => record,
        }
    }

    /// Reads the record. What seldom happens is boxed here and in [`Validator::record_for`]: the future of each look-up
    /// is copied when it starts, and would have room for it.
    async fn read_store(
        &self,
        verified: &VerifiedToken,
        missing: Missing,
        request: Option<&AuditedRequest>,
    ) -> Result<CurrentRecord, StoreError> {
        self.service.require_cutoffs().await?;
        let read = match missing {
            Missing::Record => self.reader.read(verified.id).await?,
            Missing::FreshRecord => {
                let record = Box::pin(self.reader.fresh_record(verified.id)).await?;
                RecordRead { record, is_fresh: true }
            }
            Missing::Revocation => {
                Box::pin(self.service.secret_reused(verified.id, &verified.secret_hash, request)).await?;
                return Ok(CurrentRecord { record: None, read_at: self.service.clock().reading() });
            }
        };
        self.record_for(verified, read, request).await
    }

    /// Returns the record to judge this secret by: the one that was read, or a fresh one if that one does not know the
    /// secret or has expired.
    pub(crate) async fn record_for(
        &self,
        verified: &VerifiedToken,
        read: RecordRead,
        request: Option<&AuditedRequest>,
    ) -> Result<CurrentRecord, StoreError> {
        // The data may have changed during the read.
        self.service.require_cutoffs().await?;
        let read_at = self.service.clock().reading();
        let record = read.record.map(|record| self.renewed(record, read_at.now_ms));
        match self.verdict(verified, record.as_ref(), None, read_at.now_ms) {
            RecordVerdict::RotatedOut | RecordVerdict::WrongSecret | RecordVerdict::Expired => {
                let read = RecordRead { record, is_fresh: read.is_fresh };
                Box::pin(self.reconsider(verified, read, request)).await
            }
            RecordVerdict::Admitted | RecordVerdict::Pending | RecordVerdict::Refused => {
                Ok(CurrentRecord { record, read_at })
            }
        }
    }

    /// Returns the record to judge this secret by, if the one that was read does not admit it.
    ///
    /// A rotated-out secret revokes its token, unless it is a foreign string's. A secret that the store does not know
    /// is remembered as refused.
    async fn reconsider(
        &self,
        verified: &VerifiedToken,
        read: RecordRead,
        request: Option<&AuditedRequest>,
    ) -> Result<CurrentRecord, StoreError> {
        let VerifiedToken { id, secret_hash, is_foreign } = *verified;
        let RecordRead { mut record, is_fresh } = read;
        let verdict =
            |record: &Option<Arc<TokenRecord>>, now_ms| self.verdict(verified, record.as_ref(), None, now_ms);
        let mut read_at = self.service.clock().reading();
        let is_refused = record.as_ref().is_some_and(|record| record.refused.contains(&secret_hash));
        let may_be_old =
            matches!(verdict(&record, read_at.now_ms), RecordVerdict::WrongSecret | RecordVerdict::Expired);
        if !is_fresh && !is_refused && may_be_old {
            let fresh = self.reader.fresh_record(id).await?;
            read_at = self.service.clock().reading();
            record = fresh.map(|record| self.renewed(record, read_at.now_ms));
        }
        match (verdict(&record, read_at.now_ms), &record) {
            (RecordVerdict::RotatedOut, _) if !is_foreign => {
                self.service.secret_reused(id, &secret_hash, request).await?;
                read_at = self.service.clock().reading();
            }
            // Another node may be about to write the rotation that it comes from.
            (RecordVerdict::WrongSecret, Some(_)) if self.reader.is_settling(id) => {
                return Err(StoreError::settling());
            }
            (RecordVerdict::WrongSecret, Some(record)) => record.refused.add(&secret_hash),
            _ => {}
        }
        Ok(CurrentRecord { record, read_at })
    }
}
