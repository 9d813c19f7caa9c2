//! Replay: what was acknowledged stays, even when Redis loses it.
//!
//! Redis replicates asynchronously, and its append-only file may be a second behind. After a failover or a crash a master
//! may have lost what it acknowledged. The nodes remember the last of it ([`memory`]) and merge it into the data of a master
//! before they serve from it ([`merge`]).
pub mod memory;
pub mod merge;
pub mod peers;
pub mod settling;
pub mod worker;
