//! axum: the identity as an argument of a handler, and errors as responses.

use axum_core::body::Body;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::error::{CallError, Unavailable};
use crate::identity::{Identity, IsChecked};
use crate::verdict::Refusal;

/// The answer to a request that no [`AuthLayer`](crate::AuthLayer) has checked: a mistake of the application.
const UNCHECKED: (StatusCode, &str) =
    (StatusCode::INTERNAL_SERVER_ERROR, "doorward-client: this route has no AuthLayer");

impl<S: Sync> FromRequestParts<S> for Identity {
    type Rejection = Response;

    /// An anonymous user gets 401.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let identity = <Self as OptionalFromRequestParts<S>>::from_request_parts(parts, state).await?;
        identity.ok_or_else(|| Refusal::no_token().into_response())
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Identity {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Response> {
        let is_checked = parts.extensions.get::<IsChecked>().is_some();
        is_checked.then(|| parts.extensions.get().cloned()).ok_or_else(|| UNCHECKED.into_response())
    }
}

impl IntoResponse for Unavailable {
    fn into_response(self) -> Response {
        self.to_response::<Body>()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.to_response::<Body>()
    }
}

impl IntoResponse for CallError {
    /// 503 in an outage. A refusal that the handler did not expect is a mistake of the application: 500.
    fn into_response(self) -> Response {
        match self {
            Self::Unavailable(error) => error.into_response(),
            Self::Refused(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}
