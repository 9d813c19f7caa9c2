//! Dispatches each operation to the embedded store or to Redis.

// Parameters that only Redis needs.
#![cfg_attr(not(feature = "redis"), allow(unused_variables))]

pub mod cutoffs;
pub mod devices;
pub mod imports;
pub mod node_reports;
#[cfg(feature = "redis")]
pub mod redis_only;
pub mod related;
pub mod requests;
pub mod store;
pub mod takeovers;
pub mod tokens;
pub mod users;
