//! A node without listeners: the store, the service, and the workers that belong to them. The server
//! (`server::Server`) is a node with listeners; an application in Rust uses a node in process.

pub mod cutoff_follower;
pub mod fault_log;
#[cfg(feature = "server")]
pub mod metrics;
pub mod monitor;
pub mod readiness;
#[cfg(feature = "redis")]
mod redis_store;
#[cfg(not(feature = "redis"))]
#[path = "no_redis_store.rs"]
mod redis_store;
pub mod reporter;
pub mod running;
pub mod start_error;
pub mod start_up;
mod tally;

pub use self::running::{Node, WorkerDied};
pub use self::start_error::StartError;
