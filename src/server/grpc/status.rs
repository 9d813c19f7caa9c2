//! The status of a gRPC call.

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

/// Why a call failed: its status and a message for people.
pub(super) type CallError = (GrpcCode, &'static str);
