//! A node without listeners: the store, the service, and the workers that belong to them. The server
//! ([`Server`](crate::server::Server)) is a node with listeners; an application in Rust uses a node in process.

pub mod cutoff_follower;
pub mod fault_log;
pub mod metrics;
pub mod monitor;
pub mod readiness;
pub mod running;
pub mod start_up;

pub use self::running::{Node, WorkerDied};
pub use self::start_up::StartError;
