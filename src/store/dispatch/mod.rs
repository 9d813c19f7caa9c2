//! The store of a node: one enum over the embedded store and Redis.

pub mod devices;
pub mod related;
pub mod store;
pub mod takeovers;
