//! The entry points of validation: is this token string valid, now, on this transport?

use std::sync::Arc;

use super::counters::ValidationCounters;
use super::identity::Identity;
use super::judgement::{Access, Asked, Identified, Judged, Judgement, Missing};
use crate::foreign::FormSet;
use crate::logging::audit::AuditedRequest;
use crate::model::token::{TokenRecord, Transport};
use crate::service::Service;
use crate::store::StoreError;
use crate::store::record_reader::RecordReader;
use crate::token_string::TokenId;

/// Validates tokens on one runtime.
pub struct Validator {
    pub(crate) service: Arc<Service>,
    pub(crate) reader: RecordReader,
    pub(crate) counters: ValidationCounters,
}

impl Validator {
    /// A validator for the current runtime. Its look-ups share one connection of that runtime.
    pub async fn new(service: Arc<Service>, counters: ValidationCounters) -> Self {
        let reader = service.store().reader().await;
        Self { service, reader, counters }
    }

    /// The use cases besides validation.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Returns the identity behind a token string that is valid now over this transport. `None` if it is not valid, or its
    /// second factor is still to be shown. The string may have any of the configured foreign forms.
    ///
    /// # Errors
    /// The store cannot be asked; also if the runtime that the validator was made on has ended or stands still.
    pub async fn validate(
        &self,
        token_string: &[u8],
        via: Transport,
        access: Access,
    ) -> Result<Option<Identity>, StoreError> {
        let kept = |judgement: Result<Judgement<'_>, StoreError>| match judgement? {
            Judgement::Valid(record, now_ms) => Ok(Some(Identity::new(record.keep(), now_ms))),
            Judgement::Pending | Judgement::Refused => Ok(None),
        };
        match self.judge(token_string, FormSet::ALL, via, access, kept) {
            Judged::Done(shown) => shown,
            Judged::MustRead(look_up) => self.in_time(self.look_up(&look_up, None, kept)).await,
        }
    }

    /// Judges a token string, which may have these foreign forms, over this transport, reading the store if needed. Returns
    /// what `show` makes of the judgement. `request` carried the string.
    pub async fn judgement<R>(
        &self,
        token_string: &[u8],
        forms: FormSet,
        via: Transport,
        access: Access,
        request: &AuditedRequest,
        show: impl Fn(Result<Judgement<'_>, StoreError>) -> R,
    ) -> R {
        match self.judge(token_string, forms, via, access, &show) {
            Judged::Done(shown) => shown,
            Judged::MustRead(look_up) => self.look_up(&look_up, Some(request), show).await,
        }
    }

    /// Returns the active token that a string of any form opens, or will open once its second factor is shown, over any
    /// transport. This is no access. `request` carried the string.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn opened(
        &self,
        token_string: &[u8],
        request: &AuditedRequest,
    ) -> Result<Option<TokenId>, StoreError> {
        let (access, began) = (Access::Exempt, self.service.clock().reading());
        let asked = Asked { via: None, access, began, request: Some(request) };
        let verified = match self.identify(token_string, FormSet::ALL, began.now_ms) {
            Identified::Native(unverified) => self.service.verify(unverified)?,
            Identified::Foreign(verified) => Some(verified),
            Identified::Unresolved(digests) => self.resolve(digests, asked.client()).await?,
            Identified::Unknown => None,
            Identified::Malformed => self.service.with_token_keys(|_| None)?,
        };
        let Some(verified) = verified else { return Ok(None) };
        let current = self.read(&verified, Missing::Record, asked).await?;
        // An expired token, too: the store decides, and it drops a renewal that another node may be about to write.
        let is_opened = |record: &Arc<TokenRecord>| {
            record.is_opened_by(&verified.secret_hash, current.read_at.now_ms)
                && !self.service.cutoffs.refuse(record)
        };
        Ok(current.record.filter(is_opened).map(|record| record.id))
    }

    /// Bounds a look-up in time, because its connection may belong to a runtime that no longer runs.
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
}
