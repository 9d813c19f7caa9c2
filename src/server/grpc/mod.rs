//! gRPC: Envoy's external authorization and the health service. One message in, one message out, on hyper's HTTP/2.
//!
//! The messages are written by hand (`messages`): tonic and envoy-types would add 25 crates and 89,000 lines for two
//! methods, and double the build time. The gRPC framing that they would handle is in `memory` and `response`.

pub mod check;
pub mod connections;
pub mod memory;
pub mod messages;
pub mod plane;
pub mod response;
pub mod status;

pub use self::connections::GrpcConnections;
