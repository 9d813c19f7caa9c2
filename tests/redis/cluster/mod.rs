//! The server on a Redis Cluster. A failure of one master affects only its own tokens. A live token is never refused
//! (503 is allowed), and a revoked one always is.

mod masters;
mod members;
mod slots;
pub mod support;
