//! The embedded store: maps that live and die with the process. Also the oracle of the model test, so it is written to be
//! read.

pub mod cutoffs;
pub mod devices;
pub mod events;
pub mod importing;
pub mod issuing;
pub mod memory_store;
pub mod node_reports;
pub mod pruning;
pub mod related;
pub mod requests;
pub mod revoking;
pub mod shard;
pub mod takeover_history;
pub mod takeovers;
pub mod tokens;
pub mod users;

pub use self::memory_store::MemoryStore;
