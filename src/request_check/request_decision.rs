//! The decision on a request, to be kept.

use http::StatusCode;

use super::decision::Decision;
use super::refusal::{ForbiddenReason, Refusal};
use crate::model::token::Transport;
use crate::validation::Identity;

/// The decision on a request.
#[derive(Clone, Debug)]
pub enum RequestDecision {
    /// The request passes with a valid token, which it carried there.
    Allowed(Identity, Transport),
    /// The request passes as the anonymous token.
    Anonymous,
    /// The request carries no valid token: answer 401, with [`Refusal::challenge`] in `WWW-Authenticate`.
    Refused(Refusal),
    /// The token is valid, but the request may not pass: answer 403.
    Forbidden(ForbiddenReason),
    /// The store cannot be asked: answer 503. This is no logout: the client keeps its token.
    Unavailable,
}

impl RequestDecision {
    /// Returns the status that a server answers with.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Allowed(..) | Self::Anonymous => StatusCode::OK,
            Self::Refused(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Keeps a decision beyond the look at the record.
    pub(super) fn of(decision: Decision<'_>) -> Self {
        match decision {
            Decision::Allowed(record, now_ms, via) => {
                Self::Allowed(Identity::new(record.keep(), now_ms), via)
            }
            Decision::Anonymous => Self::Anonymous,
            Decision::Refused(refusal) => Self::Refused(refusal),
            Decision::Forbidden(reason, _) => Self::Forbidden(reason),
            Decision::Unavailable => Self::Unavailable,
        }
    }
}
