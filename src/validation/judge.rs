//! The hot path: judges a token string by the record known here, without waiting.

use std::sync::Arc;

use super::judgement::{Access, Judged, Judgement, LookUp, Missing};
use super::validator::Validator;
use crate::model::token::{RecordVerdict, TokenRecord, Transport};
use crate::service::core::no_token_keys;
use crate::store::StoreError;
use crate::store::cache::near_cache::Looked;
use crate::token_string::{SecretHash, TokenKeys, TokenKind, UnverifiedToken};

impl Validator {
    /// Judges a token string as far as possible without waiting.
    ///
    /// `show` is called with the judgement, at most once, under the cache's lock: keep it short and do not call the store.
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
        let Some(unverified) = UnverifiedToken::decode(TokenKind::Session, token_string) else {
            self.counters.forged.inc();
            return Judged::Done(show(Ok(Judgement::Refused)));
        };
        self.reader.look(unverified.id(), |known| {
            let known_secret = known.flatten().map(|record| record.known_secret());
            let Some(verified) = unverified.verify_known(keys, known_secret) else {
                return Looked::NoHit(Judged::Done(show(self.refuse_forged(keys))));
            };
            let look_up = LookUp { verified, via: Some(via), access, missing: Missing::Record };
            match known.map(|record| self.conclude(look_up, record, true)) {
                Some(Ok(judgement)) => Looked::Hit(Judged::Done(show(Ok(judgement)))),
                Some(Err(missing)) => {
                    Looked::NoHit(self.judge_earned(LookUp { missing, ..look_up }, known.flatten(), show))
                }
                None => Looked::NoHit(Judged::MustRead(look_up)),
            }
        })
    }

    /// Judges by a known record that has expired and the renewals that this node earned on it and has not written yet.
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

    /// Refuses a string that none of these keys verifies, unless a key may be missing.
    fn refuse_forged(&self, keys: &TokenKeys) -> Result<Judgement<'static>, StoreError> {
        if keys.may_lack_one() {
            self.counters.unavailable.inc();
            return Err(no_token_keys());
        }
        self.counters.forged.inc();
        Ok(Judgement::Refused)
    }

    /// Returns the judgement by this record, or what it lacks. `is_kept` tells whether other requests will see this copy of
    /// the record, too.
    pub(crate) fn conclude<'a>(
        &self,
        look_up: LookUp,
        record: Option<&'a Arc<TokenRecord>>,
        is_kept: bool,
    ) -> Result<Judgement<'a>, Missing> {
        let LookUp { verified, via, access, .. } = look_up;
        // The time after the look-up: a token that expired during it is expired.
        let now_ms = self.service.clock().now_ms();
        let secret_hash = &verified.secret_hash;
        let verdict = record.map_or(RecordVerdict::Refused, |record| record.judge(secret_hash, via, now_ms));
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
            (verdict, record) => match self.missing(verdict, record, secret_hash) {
                Some(missing) => Err(missing),
                None => {
                    self.counters.refused.inc();
                    Ok(Judgement::Refused)
                }
            },
        }
    }

    /// Returns what the store must be asked for before a secret of this verdict is refused. `None` for a secret that never
    /// becomes right again, and for a record that has surely expired.
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
