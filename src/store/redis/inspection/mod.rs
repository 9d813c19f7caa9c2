//! The inspection of the store: can each master be reached, can Doorward work with it, and may the Redis user do all that
//! Doorward needs? Faults name their cause and their fix.
//!
//! Each inspection checks that every master takes writes, and the schema. Version, policies, permissions, memory,
//! persistence and replicas are checked on each new connection and in every few inspections after that.
//!
//! `doorward doctor` runs the same inspection once, as a `server::Depth::CheckUp`.

pub mod durability;
pub mod faults;
pub mod masters;
pub mod memory;
pub mod permission_error;
pub mod permissions;
pub mod persistence;
pub mod replication;
pub mod server;
pub mod server_facts;

pub use self::masters::Inspection;
