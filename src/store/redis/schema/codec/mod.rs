//! The fields of the records, encoded and decoded.

pub mod device;
pub mod event;
pub mod primitives;
pub mod takeover;
pub mod token;
