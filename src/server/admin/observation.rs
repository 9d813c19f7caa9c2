//! An admin call as its observers see it: begun with the request, finished with the response.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};

use super::context::CallContext;
use super::plane::AdminPlane;
use crate::clock::ClockReading;
use crate::server::request::client::DirectClient;
use crate::server::request::request_id::X_REQUEST_ID;
use crate::server::transport::body::Body;

/// A call under way.
pub struct Observation {
    admin: Arc<AdminPlane>,
    began: ClockReading,
    /// What is known of the call.
    pub context: CallContext,
}

impl Observation {
    /// Begins with a request.
    pub fn begin(admin: &Arc<AdminPlane>, request: &Request<Incoming>, client: DirectClient) -> Self {
        let began = admin.service.clock().reading();
        Self { admin: admin.clone(), began, context: CallContext::of(admin, request, client) }
    }

    /// Finishes with the response, which gets the request id.
    pub fn finish(self, response: &mut Response<Body>) {
        let Self { admin, began, context } = self;
        let (pattern, ns) =
            (context.route.map(|route| route.pattern), admin.service.clock().elapsed_ns(began));
        admin.calls.add(pattern, &context.method, response.status(), ns);
        response.headers_mut().insert(X_REQUEST_ID.clone(), context.request_id.header_value());
        if response.status() == StatusCode::UNAUTHORIZED {
            admin.unauthorized.add(&context);
        }
    }
}
