//! The error format of the admin plane: `application/problem+json` (RFC 9457).

pub mod challenge;
pub mod details;
pub mod field_error;
pub mod kind;
pub mod service_error;

pub use self::details::Problem;
pub use self::field_error::FieldError;
pub use self::kind::ProblemKind;
