//! The aliases that a node knows, and the bound on its look-ups of others.
//!
//! An alias is an immutable fact: this foreign string is that token. So a known alias is kept without a lease; whether the
//! token is valid is for its record to say. That a string has no alias is remembered for one lease at most, so that a later
//! import is noticed.
//!
//! Foreign strings can be made up. A [`budget`] bounds the look-ups of strings without an alias; [`cache`] spares all
//! others.

pub mod budget;
pub mod cache;
pub mod generations;
pub mod node_aliases;

pub use self::node_aliases::{AliasOptions, AliasStats, NodeAliases};
