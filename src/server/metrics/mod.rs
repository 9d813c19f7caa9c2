//! The metrics over HTTP, and the metrics of listeners and calls.

pub mod admin_calls;
pub mod certificates;
pub mod connections;
pub mod feed_readers;
pub mod plane;
pub mod reloads;
pub mod text;
