//! Envoy's external authorization over gRPC, called as Envoy does.

mod check;
mod messages;
mod spans;
