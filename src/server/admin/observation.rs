//! An admin call as its observers see it: begun with the request, finished with the response.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Request, Response};

use super::context::CallContext;
use super::plane::AdminPlane;
use super::problem::ProblemKind;
use crate::clock::ClockReading;
use crate::logging::audit::{Action, AuditLine, AuditOutcome};
use crate::model::event::Actor;
use crate::request::origin::DirectClient;
use crate::request::request_id::X_REQUEST_ID;
use crate::server::transport::body::Body;

/// A call under way. It ends with [`Observation::finish`], or is dropped: then the client has disconnected.
pub struct Observation {
    admin: Arc<AdminPlane>,
    began: ClockReading,
    /// The context of the call.
    pub context: CallContext,
}

impl Observation {
    /// Begins with a request.
    pub fn begin(admin: &Arc<AdminPlane>, request: &Request<Incoming>, client: DirectClient) -> Self {
        let began = admin.service.clock().reading();
        Self { admin: admin.clone(), began, context: CallContext::of(admin, request, client) }
    }

    /// Finishes with the response, which gets the request id.
    pub fn finish(mut self, response: &mut Response<Body>) {
        let admin = &self.admin;
        let ns = admin.service.clock().elapsed_ns(self.began);
        admin.calls.add(self.context.pattern, &self.context.method, response.status(), ns);
        response.headers_mut().insert(X_REQUEST_ID.clone(), self.context.request_id.header_value());
        let refusal = self.context.refusal.map(|kind| (kind, response.status().as_u16()));
        let outcome = match refusal {
            None => AuditOutcome::Done,
            Some((
                ProblemKind::StoreUnavailable | ProblemKind::NotDurable | ProblemKind::CorruptRecord,
                _,
            )) => AuditOutcome::Unknown,
            Some(_) => AuditOutcome::Refused,
        };
        self.write_audit_line(outcome, refusal);
    }

    /// Writes the audit line, once. A call that only reads has one if its API key lacks the scope. Calls without a valid
    /// key share one line a second.
    fn write_audit_line(&mut self, outcome: AuditOutcome, refusal: Option<(ProblemKind, u16)>) {
        let context = &mut self.context;
        let Some(entry) = context.entry.take() else { return };
        let is_refused_for = |kinds: &[ProblemKind]| refusal.is_some_and(|(kind, _)| kinds.contains(&kind));
        let has_no_key = is_refused_for(&[ProblemKind::ApiKeyMissing, ProblemKind::ApiKeyInvalid]);
        let lacks_scope = is_refused_for(&[ProblemKind::InsufficientScope]);
        let suppressed = match &context.key {
            None if has_no_key => match self.admin.unauthorized.add() {
                Some(due) => due.suppressed,
                None => return,
            },
            // Before the key is known, nothing was changed.
            None => return,
            Some(_) if entry.action == Action::Read && !lacks_scope => return,
            Some(_) => None,
        };
        let route = context.route.filter(|_| entry.action == Action::Read);
        let actor = context.key.as_deref().map(Actor::ApiKey);
        AuditLine {
            status: refusal.map(|(_, status)| status),
            problem: refusal.map(|(kind, _)| kind.name()),
            address: context.address,
            call: route.map(|route| (context.method.as_str(), route.pattern)),
            request_id: Some(context.request_id.as_str()),
            suppressed,
            ..AuditLine::new(&entry, outcome, actor)
        }
        .write();
    }
}

/// If the client disconnects, its call is dropped wherever it waits. The change may have been made.
impl Drop for Observation {
    fn drop(&mut self) {
        self.write_audit_line(AuditOutcome::Unknown, None);
    }
}
