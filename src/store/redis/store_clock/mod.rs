//! The clock of the store is the clock of all nodes: the offset of this node follows it.
//!
//! Each probe of the store reads the time of every master and brackets it with this machine's CLOCK_BOOTTIME. [`estimate`]
//! decides what that means for the offset; [`following`] applies it.

pub mod estimate;
pub mod following;

pub use self::following::{StoreClock, clock_refusal};
