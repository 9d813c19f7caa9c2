//! The audit line of a change that a token's holder makes.

use crate::logging::audit::{Action, AuditEntry, AuditLine, AuditOutcome, AuditedRequest};
use crate::model::event::Actor;
use crate::model::token::Token;
use crate::service::ServiceError;
use crate::store::StoreError;

/// A change that a token's holder makes. If it is dropped before its end, the client has disconnected, and the change may
/// have been made.
pub struct HolderAudit<'a> {
    /// `None` once nothing is left to be written.
    entry: Option<AuditEntry>,
    outcome: AuditOutcome,
    request: &'a AuditedRequest,
}

impl<'a> HolderAudit<'a> {
    /// Begins with a request that carried this token.
    pub fn begin(action: Action, token: &Token, request: &'a AuditedRequest) -> Self {
        let record = &token.record;
        let takeover = record.takeover.as_ref().filter(|_| action == Action::TakeoverEnd);
        let entry = AuditEntry {
            user: Some(record.user().to_owned()),
            token: Some(record.id),
            takeover: takeover.map(|takeover| takeover.id),
            taken_over: takeover.map(|takeover| takeover.user.clone()),
            ..AuditEntry::new(action)
        };
        Self { entry: Some(entry), outcome: AuditOutcome::Unknown, request }
    }

    /// Ends with a result. If the token or the takeover had ended by itself, nothing was changed, so there is no line.
    pub fn conclude<T>(mut self, result: &Result<T, ServiceError>) {
        match result {
            Ok(_) => self.outcome = AuditOutcome::Done,
            Err(ServiceError::Store(StoreError::Unusable(_))) => self.outcome = AuditOutcome::Refused,
            Err(ServiceError::Store(_)) => {}
            Err(_) => self.entry = None,
        }
    }
}

impl Drop for HolderAudit<'_> {
    fn drop(&mut self) {
        let Some(entry) = &self.entry else { return };
        AuditLine::new(entry, self.outcome, Some(Actor::Holder)).of_request(self.request).write();
    }
}
