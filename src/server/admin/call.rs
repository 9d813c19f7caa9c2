//! An authorized call as its handler gets it.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Request, Response};

use super::api_keys::KnownKey;
use super::input::Input;
use super::path_params::PathParams;
use super::plane::AdminPlane;
use super::problem::Problem;
use crate::logging::audit::AuditedRequest;
use crate::model::event::Actor;
use crate::server::transport::body::Body;
use crate::service::Service;

/// The result of a handler.
pub type Answer = Result<Response<Body>, Problem>;

/// A call whose API key has been checked. The body has not been read.
pub struct AdminCall<'a> {
    /// The plane that got it.
    pub admin: &'a AdminPlane,
    /// The API key.
    pub key: &'a Arc<KnownKey>,
    /// The API key, as events name it.
    pub actor: Actor<'a>,
    /// The values in the path.
    pub params: PathParams,
    /// The query and the body.
    pub input: Input,
    /// The part of audit lines that comes from the request.
    pub audited: AuditedRequest,
}

impl<'a> AdminCall<'a> {
    /// A call with this API key.
    pub fn new(
        admin: &'a AdminPlane,
        key: &'a Arc<KnownKey>,
        params: PathParams,
        request: Request<Incoming>,
        audited: AuditedRequest,
    ) -> Self {
        let input = Input::new(request, admin.request_timeout);
        Self { admin, key, actor: Actor::ApiKey(key.name()), params, input, audited }
    }

    /// The use cases.
    pub fn service(&self) -> &'a Service {
        &self.admin.service
    }
}
