//! The server: a [`Node`](crate::node::Node) and its listeners.
//!
//! | part | what it is |
//! |---|---|
//! | `start_up` | settings to a running server; only this part sees `Config` |
//! | `running` | the running server, and its stop in order |
//! | `acceptors`, `validation_threads` | connections to the threads that serve them |
//! | `auth`, `grpc`, `admin` | the planes: requests to calls of the validator and the service |
//! | `request`, `json`, `plane_hint` | what requests carry; the objects of the JSON API; the hint for a caller of the wrong plane |
//! | `metrics` | the text of `/metrics`, its own listener, and what is measured of listeners and calls |
//! | `reload` | new settings for a running server |
//! | `supervision` | the server's reports to the service manager |
//! | `transport` | sockets, TLS, HTTP connections |
//!
//! Threads: the caller's runtime has the admin plane, the acceptors and the workers. The connections of the validation
//! plane are spread over threads of their own, each with its own runtime and its own connection to the store. So nothing
//! on the hot path crosses threads.

pub mod acceptors;
pub mod admin;
pub mod auth;
#[cfg(feature = "grpc")]
pub mod grpc;
#[cfg(not(feature = "grpc"))]
#[path = "no_grpc.rs"]
pub mod grpc;
pub mod json;
pub mod metrics;
pub mod plane_hint;
pub mod reload;
pub mod request;
pub mod running;
pub mod start_up;
pub mod supervision;
pub mod transport;
pub mod validation_threads;

pub use self::running::Server;
pub use self::start_up::start::start;
pub use self::start_up::{DescriptorBudget, check_tls_files, descriptor_budget, tls_files};
