//! The status of a gRPC call.

use hyper::StatusCode;

/// The status of a call, as `grpc-status` numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GrpcCode {
    Ok = 0,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Unavailable = 14,
}

impl GrpcCode {
    /// Returns the result and the HTTP status by which the access log knows a check that failed with this code. `None` for
    /// codes that no check fails with.
    pub(super) const fn of_failed_check(self) -> Option<(&'static str, StatusCode)> {
        match self {
            Self::InvalidArgument => Some(("malformed", StatusCode::BAD_REQUEST)),
            Self::DeadlineExceeded => Some(("timeout", StatusCode::REQUEST_TIMEOUT)),
            Self::Unimplemented => Some(("unsupported", StatusCode::NOT_IMPLEMENTED)),
            Self::Ok | Self::NotFound | Self::ResourceExhausted | Self::Unavailable => None,
        }
    }
}

/// Why a call failed: its status and a message for people.
pub(super) type GrpcCallError = (GrpcCode, &'static str);
