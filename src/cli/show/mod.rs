//! The output of commands: tables and lines for people, JSON for machines.

pub mod objects;
pub mod output;

pub use self::objects::{Column, describe, pairs, rows};
pub use self::output::Output;
pub use self::output::text;
