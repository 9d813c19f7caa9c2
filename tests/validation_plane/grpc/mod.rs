//! Envoy's external authorization over gRPC, called as Envoy does.

mod check;
pub mod messages;
mod spans;
