//! The span of a request.

pub mod span;
