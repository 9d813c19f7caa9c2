//! The aliases that a node knows, and the bound on its look-ups of others.
//!
//! While an alias exists, it never changes: this foreign string is that token. So a known alias is kept without a lease;
//! whether the token is valid is for its record to say. If there is no record any more, the alias is looked up again,
//! because it may have expired and been written for another user. That a string has no alias is remembered for one
//! lease at most, so that a later import is noticed.
//!
//! Foreign strings can be made up. A [`budget`] bounds the look-ups of strings without an alias; [`cache`] spares all
//! others.

pub mod budget;
pub mod cache;
pub mod generations;
pub mod node_aliases;

pub use self::node_aliases::{AliasOptions, AliasStats, NodeAliases};
