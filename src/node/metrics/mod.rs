//! The metrics of a node, for Prometheus and for `GET /v1/stats`. One file per subject.
//!
//! Names follow Prometheus's rules: base units, `_total` for counters, a prefix for the application. No label has a value
//! that a client chooses. docs/metrics.md explains each metric.

pub mod cache;
pub mod changes;
pub mod cutoffs;
pub mod encode;
pub mod foreign;
pub mod format;
pub mod last_access;
pub mod live_tokens;
pub mod node_metrics;
pub mod process;
pub mod redis;
pub mod replay;
pub mod store;
pub mod validations;

pub use self::format::TextFormat;
pub use self::node_metrics::Metrics;
