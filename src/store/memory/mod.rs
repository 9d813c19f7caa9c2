//! The embedded store: everything in maps, gone with the process. Also the oracle of the model test, so it is
//! written to be read.

pub mod device_keys;
pub mod devices;
pub mod events;
pub mod memory_store;
pub mod objects;
pub mod related;
pub mod shard;
pub mod takeover_history;
pub mod takeovers;
pub mod tokens;

pub use self::memory_store::MemoryStore;
