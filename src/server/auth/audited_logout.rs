//! The audit line of a logout.

use std::net::IpAddr;

use hyper::header::HeaderMap;

use super::settings::ValidationSettings;
use crate::logging::audit::{Action, AuditEntry, AuditLine, Outcome};
use crate::model::event::Actor;
use crate::model::token::Token;
use crate::server::request::origin::RequestOrigin;
use crate::server::request::request_id::request_id_in;
use crate::service::ServiceError;
use crate::store::StoreError;

/// A change that a token's holder makes. If it is dropped before its end, the client has disconnected, and the change may
/// have been made.
pub struct AuditedLogout<'a> {
    /// `None` once nothing is left to be written.
    entry: Option<AuditEntry>,
    outcome: Outcome,
    address: Option<IpAddr>,
    request_id: Option<&'a str>,
}

impl<'a> AuditedLogout<'a> {
    /// Begins with a request that carried this token.
    pub fn begin(
        action: Action,
        token: &Token,
        origin: &RequestOrigin<'a, HeaderMap>,
        settings: &ValidationSettings,
    ) -> Self {
        let record = &token.record;
        let takeover = record.takeover.as_ref().filter(|_| action == Action::TakeoverEnd);
        let entry = AuditEntry {
            user: Some(record.user().to_owned()),
            token: Some(record.id),
            takeover: takeover.map(|takeover| takeover.id),
            ..AuditEntry::new(action)
        };
        Self {
            entry: Some(entry),
            outcome: Outcome::Unknown,
            address: origin.client_address(&settings.trusted_proxies),
            request_id: request_id_in(origin.headers),
        }
    }

    /// Ends with a result. If the token or the takeover had ended by itself, nothing was changed, so there is no line.
    pub fn conclude<T>(mut self, result: &Result<T, ServiceError>) {
        match result {
            Ok(_) => self.outcome = Outcome::Done,
            Err(ServiceError::Store(StoreError::Unusable(_))) => self.outcome = Outcome::Refused,
            Err(ServiceError::Store(_)) => {}
            Err(_) => self.entry = None,
        }
    }
}

impl Drop for AuditedLogout<'_> {
    fn drop(&mut self) {
        let Some(entry) = &self.entry else { return };
        let line = AuditLine::new(entry, self.outcome, Some(Actor::Holder));
        AuditLine { address: self.address, request_id: self.request_id, ..line }.write();
    }
}
