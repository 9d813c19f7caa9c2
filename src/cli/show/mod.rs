//! The output of commands: tables and lines for people, JSON for machines.

pub mod objects;
pub mod output;
pub mod table;
pub mod text;

pub use self::objects::{Column, describe, pairs, rows};
pub use self::output::Output;
pub use self::text::text;
