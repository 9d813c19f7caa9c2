//! Replay: what was acknowledged stays, even when Redis loses it.
//!
//! Redis replicates asynchronously, and its append-only file may be a second behind. After a failover or a crash a master
//! may have lost what it acknowledged. The nodes remember the last of it ([`memory`]) and merge it into the data of a master
//! before they serve from it ([`merge`]).

pub mod aged_map;
pub mod entries;
pub mod heard;
pub mod memory;
pub mod merge;
pub mod merge_calls;
pub mod merge_run;
pub mod packed_fields;
pub mod peers;
pub mod remember;
pub mod settling;
pub mod worker;
