//! The records and their rules: pure values, without a store, a clock or a network.

pub mod cutoff;
pub mod device_key;
pub mod event;
pub mod field_rules;
pub mod idempotency;
pub mod import;
pub mod node_report;
pub mod revoke_reason;
pub mod route_check;
pub mod takeover;
pub mod token;
