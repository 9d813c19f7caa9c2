//! The context of a request to the admin plane, for its observers.

use std::net::IpAddr;

use hyper::{Method, Request};

use super::path_params::PathParams;
use super::plane::AdminPlane;
use super::problem::ProblemKind;
use super::route::Route;
use crate::logging::audit::{AuditEntry, AuditedRequest};
use crate::request::origin::{DirectClient, RequestOrigin};
use crate::request::request_id::RequestId;

/// The context of a request to the admin plane. It grows while the request is answered.
pub struct CallContext {
    /// The id, in the response and in every log line about the request.
    pub request_id: RequestId,
    /// The client's address, through all trusted proxies. `None` for a client on a Unix socket.
    pub address: Option<IpAddr>,
    /// The method.
    pub method: Method,
    /// The path as metrics name it; `None` until the route is found, and for an unknown path or method.
    pub pattern: Option<&'static str>,
    /// The route; `None` until it is found, and for an unknown path or method.
    pub route: Option<&'static Route>,
    /// The name of the API key; `None` until the key is known.
    pub key: Option<String>,
    /// The change that the call makes, for the audit log; `None` until the route is found, and for a call without credentials.
    pub entry: Option<AuditEntry>,
    /// Why the call was refused.
    pub refusal: Option<ProblemKind>,
}

impl CallContext {
    /// Begins with the head of a request.
    pub fn of<B>(admin: &AdminPlane, request: &Request<B>, client: DirectClient) -> Self {
        let settings = &admin.settings;
        Self {
            request_id: RequestId::of(request.headers(), &settings.places, &admin.entropy),
            address: RequestOrigin::of(request, client).client_address(&settings.trusted_proxies),
            method: request.method().clone(),
            pattern: None,
            route: None,
            key: None,
            entry: None,
            refusal: None,
        }
    }

    /// Returns the part of audit lines that comes from the request.
    pub fn audited(&self) -> AuditedRequest {
        AuditedRequest { address: self.address, id: Some(self.request_id.to_string()) }
    }

    /// Notes the route that was found, and the user, token or object that the path names.
    pub fn found(&mut self, route: &'static Route, params: &PathParams) {
        self.pattern = Some(route.pattern);
        self.route = Some(route);
        self.entry = route.handler.action().map(AuditEntry::new);
        self.entry.iter_mut().for_each(|entry| params.tell(entry));
    }
}
