//! Which server is the master of a key now, and how it is reached.

pub mod authority;
pub mod discovery;
pub mod dns;
pub mod endpoint;
pub mod gate;
pub mod master_map;
pub mod members;
pub mod pool;
pub mod sentinels;
pub mod slot_ranges;
pub mod slots;
pub mod tls;
pub mod topology;
