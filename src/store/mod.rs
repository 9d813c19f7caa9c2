//! The store of tokens.

pub mod cache;
