//! `doorward doctor`: checks an installation, and says what to do about each warning and fault. It changes nothing.
//!
//! The causes and fixes of the store's faults come from a node's inspection (`store/report.rs`): a node writes them to
//! its log and shows them at `GET /v1/status`. This folder adds what only a person asks: files, addresses, limits.

pub mod check;
pub mod file_checks;
pub mod host_checks;
pub mod output;
pub mod store_checks;
