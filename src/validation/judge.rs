//! The hot path: judges a token string by the record known here, without waiting.

use std::sync::Arc;

use super::counters::{JudgedBy, ValidationResult};
use super::judgement::{Access, Asked, Identified, Judged, Judgement, LookUp, Missing, Sought};
use super::validator::Validator;
use crate::foreign::FormSet;
use crate::model::token::{KnownRecord, RecordVerdict, TokenRecord, Transport};
use crate::service::core::no_token_keys;
use crate::store::StoreError;
use crate::store::cache::near_cache::Looked;
use crate::token_string::{TokenKeys, VerifiedToken};

impl Validator {
    /// Judges a token string, which may have these foreign forms, as far as possible without waiting, counts the judgement
    /// and times it.
    ///
    /// `show` is called with the judgement, at most once, under the cache's lock: keep it short and do not call the store.
    pub fn judge<R>(
        &self,
        token_string: &[u8],
        forms: FormSet,
        via: Transport,
        access: Access,
        show: impl FnOnce(Result<Judgement<'_>, StoreError>) -> R,
    ) -> Judged<R> {
        let began = self.service.clock().reading();
        let mut result = None;
        let asked = Asked { via: Some(via), access, began, request: None };
        let judged = self.judge_known(token_string, forms, asked, |counted, judgement| {
            result = Some(counted);
            show(judgement)
        });
        if let Some(result) = result {
            self.counters.add(result, JudgedBy::Memory, self.service.clock().elapsed_ns(began));
        }
        judged
    }

    fn judge_known<R>(
        &self,
        token_string: &[u8],
        forms: FormSet,
        asked: Asked<'static>,
        show: impl FnOnce(ValidationResult, Result<Judgement<'_>, StoreError>) -> R,
    ) -> Judged<R> {
        let keys = self.service.token_keys();
        let Some(keys) = keys.as_deref() else {
            return Judged::Done(show(ValidationResult::Unavailable, Err(no_token_keys())));
        };
        let boottime_ms = asked.began.boottime_ms();
        match self.identify(token_string, forms, asked.began.now_ms) {
            Identified::Native(unverified) => self.reader.look(unverified.id(), boottime_ms, |known| {
                let known_secret = known.flatten().map(|known| known.record().known_secret());
                match unverified.verify_known(keys, known_secret) {
                    Some(verified) => self.judge_look(verified, asked, known, show),
                    None => {
                        let (result, judgement) = refuse_forged(keys);
                        Looked::NoHit(Judged::Done(show(result, judgement)))
                    }
                }
            }),
            Identified::Foreign(verified) => self
                .reader
                .look(verified.id, boottime_ms, |known| self.judge_look(verified, asked, known, show)),
            Identified::Unresolved(digests) => {
                Judged::MustRead(LookUp { asked, sought: Sought::Alias(digests) })
            }
            Identified::Unknown => Judged::Done(show(ValidationResult::Refused, Ok(Judgement::Refused))),
            Identified::Malformed => Judged::Done(show(ValidationResult::Forged, Ok(Judgement::Refused))),
        }
    }

    /// Judges by what a look at the cache has shown: a record, the absence of one, or nothing.
    fn judge_look<R>(
        &self,
        verified: VerifiedToken,
        asked: Asked<'static>,
        known: Option<Option<KnownRecord<'_>>>,
        show: impl FnOnce(ValidationResult, Result<Judgement<'_>, StoreError>) -> R,
    ) -> Looked<Judged<R>> {
        // The time before the look: a hit does not wait.
        match known.map(|record| self.conclude(&verified, asked, record, true, asked.began.now_ms)) {
            Some(Ok(judgement)) => Looked::Hit(Judged::Done(show(judgement.result(), Ok(judgement)))),
            Some(Err(missing)) => Looked::NoHit(self.judge_earned(
                verified,
                missing,
                asked,
                known.flatten().map(KnownRecord::record),
                show,
            )),
            None => Looked::NoHit(must_read(verified, Missing::Record, asked)),
        }
    }

    /// Judges by a known record that has expired and the renewals that this node earned on it and has not written yet.
    #[cold]
    fn judge_earned<R>(
        &self,
        verified: VerifiedToken,
        missing: Missing,
        asked: Asked<'static>,
        known: Option<&Arc<TokenRecord>>,
        show: impl FnOnce(ValidationResult, Result<Judgement<'_>, StoreError>) -> R,
    ) -> Judged<R> {
        let now_ms = asked.began.now_ms;
        let expired = known.filter(|record| record.has_expired(now_ms));
        let Some(earned) = expired.and_then(|record| self.service.with_earned(record, now_ms)) else {
            return must_read(verified, missing, asked);
        };
        match self.conclude(&verified, asked, Some((&earned).into()), false, now_ms) {
            Ok(judgement) => Judged::Done(show(judgement.result(), Ok(judgement))),
            Err(missing) => must_read(verified, missing, asked),
        }
    }

    /// Returns the judgement by this record at `now_ms`, or what it lacks. `is_kept`: whether other requests will see
    /// this copy of the record, too.
    pub(crate) fn conclude<'a>(
        &self,
        verified: &VerifiedToken,
        asked: Asked<'_>,
        known: Option<KnownRecord<'a>>,
        is_kept: bool,
        now_ms: u64,
    ) -> Result<Judgement<'a>, Missing> {
        let Asked { via, access, .. } = asked;
        let record = known.map(KnownRecord::record);
        match (self.verdict(verified, record, via, now_ms), known) {
            (RecordVerdict::Admitted, Some(known)) => {
                if access == Access::Recorded {
                    self.service.record_access(known.record(), now_ms, is_kept);
                }
                Ok(Judgement::Valid(known, now_ms))
            }
            (RecordVerdict::Pending, _) => Ok(Judgement::Pending),
            (verdict, _) => match self.missing(verdict, record, verified) {
                Some(missing) => Err(missing),
                None => Ok(Judgement::Refused),
            },
        }
    }

    /// Judges a secret by the record of its token, if there is one, and by the cut-offs: the only place that judges tokens.
    #[inline]
    pub(crate) fn verdict(
        &self,
        verified: &VerifiedToken,
        record: Option<&Arc<TokenRecord>>,
        via: Option<Transport>,
        now_ms: u64,
    ) -> RecordVerdict {
        match record {
            Some(record) if !self.service.cutoffs.refuse(record) => {
                record.judge(&verified.secret_hash, via, now_ms)
            }
            None if verified.is_foreign => {
                self.reader.forget_alias(&verified.secret_hash);
                RecordVerdict::Refused
            }
            _ => RecordVerdict::Refused,
        }
    }

    /// Returns what the store must be asked for before a secret of this verdict is refused. `None` for a secret that never
    /// becomes right again, and for a record that has surely expired.
    pub(crate) fn missing(
        &self,
        verdict: RecordVerdict,
        record: Option<&Arc<TokenRecord>>,
        verified: &VerifiedToken,
    ) -> Option<Missing> {
        let has_surely_expired = || record.is_some_and(|record| record.accesses.has_surely_expired());
        let is_refused = || record.is_some_and(|record| record.refused.contains(&verified.secret_hash));
        match verdict {
            RecordVerdict::RotatedOut => {
                let revokes = self.service.policy().reuse_ends_token && !verified.is_foreign;
                revokes.then_some(Missing::Revocation)
            }
            RecordVerdict::WrongSecret => (!is_refused()).then_some(Missing::FreshRecord),
            RecordVerdict::Expired => (!has_surely_expired()).then_some(Missing::FreshRecord),
            _ => None,
        }
    }
}

fn must_read<R>(verified: VerifiedToken, missing: Missing, asked: Asked<'static>) -> Judged<R> {
    Judged::MustRead(LookUp { asked, sought: Sought::Record(verified, missing) })
}

/// Refuses a string that none of these keys verifies, unless a key may be missing.
fn refuse_forged(keys: &TokenKeys) -> (ValidationResult, Result<Judgement<'static>, StoreError>) {
    match keys.may_lack_one() {
        true => (ValidationResult::Unavailable, Err(no_token_keys())),
        false => (ValidationResult::Forged, Ok(Judgement::Refused)),
    }
}

impl Judgement<'_> {
    /// Returns how a judgement of a verified string is counted.
    pub(crate) fn result(&self) -> ValidationResult {
        match self {
            Self::Valid(..) => ValidationResult::Valid,
            Self::Pending => ValidationResult::Pending,
            Self::Refused => ValidationResult::Refused,
        }
    }
}
