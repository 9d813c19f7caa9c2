//! The JSON objects of the answers.

pub mod device;
pub mod event;
pub mod takeover;
pub mod timestamp;
pub mod token;
