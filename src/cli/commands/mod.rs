//! The commands that are clients of the admin plane, and those that need no server. One file or folder each: its flags and
//! its run.

pub mod arguments;
pub mod completions;
pub mod confirm;
pub mod cutoff;
pub mod device;
pub mod events;
pub mod hash_key;
pub mod import;
pub mod man;
pub mod new_key;
pub mod nodes;
pub mod sse;
pub mod stats;
pub mod takeover;
pub mod token;
pub mod user;
pub mod with_secret;
