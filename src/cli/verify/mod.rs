//! `doorward verify`: compares the indexes in Redis with the records, and repairs them.

pub mod args;
pub mod command;
pub mod display;
pub mod output;
