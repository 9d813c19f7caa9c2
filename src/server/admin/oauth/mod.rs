//! TODO

pub mod client;
pub mod endpoints;
pub mod refusal;
