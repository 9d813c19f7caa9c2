//! The JSON objects of answers, one per file.

pub mod api_key;
pub mod cutoff;
pub mod device;
pub mod event;
pub mod node;
pub mod takeover;
pub mod timestamp;
pub mod token;
