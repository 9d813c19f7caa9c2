//! Dispatches each operation to the embedded store or to Redis.

pub mod cutoffs;
pub mod devices;
pub mod imported_devices;
pub mod imports;
pub mod related;
pub mod requests;
pub mod store;
pub mod takeovers;
pub mod tokens;
pub mod users;
