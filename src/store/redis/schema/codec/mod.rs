//! Records to fields of Redis and back: one file per kind of record. [`super`] describes the keys and the fields of a token.

pub mod alias;
pub mod cutoff;
pub mod device;
pub mod event;
pub mod node_report;
pub mod primitives;
pub mod takeover;
pub mod token;
pub mod user_agent;
