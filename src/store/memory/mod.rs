//! The embedded store: maps that live and die with the process. Also the oracle of the model test, so it is written to be
//! read.

pub mod alias_map;
pub mod aliases;
pub mod counting;
pub mod cutoffs;
pub mod device_keys;
pub mod devices;
pub mod erasing;
pub mod events;
pub mod imported_devices;
pub mod importing;
pub mod issuing;
pub mod locking;
pub mod memory_store;
pub mod node_reports;
pub mod objects;
pub mod pruning;
pub mod related;
pub mod request_map;
pub mod requests;
pub mod revoking;
pub mod shard;
pub mod takeover_history;
pub mod takeovers;
pub mod tokens;
pub mod uuid_index;

pub use self::memory_store::MemoryStore;
