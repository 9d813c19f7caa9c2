//! The metrics over HTTP, and the metrics of listeners, calls, reloads and API keys.

pub mod admin_calls;
pub mod api_keys;
pub mod certificates;
pub mod connections;
pub mod feed_readers;
pub mod plane;
pub mod reload;
