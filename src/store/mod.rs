//! Where tokens live. One enum with two variants, so that a caller never asks which it is.
//!
//! Every operation decides in one step per user what it changes. Validity is judged by the node's clock, passed in as
//! `now_ms`; it follows the clock of the store, where that has one of its own.

pub mod cache;
pub mod call;
pub mod dispatch;
pub mod error;
pub mod feed;
pub mod limits;
pub mod memory;
pub mod record_read;
pub mod record_reader;
pub mod redis;
pub mod rejection;
pub mod report;

pub use self::call::Call;
pub use self::dispatch::store::Store;
pub use self::error::{StoreError, Unwritten};
pub use self::limits::StoreLimits;
pub use self::rejection::{Outcome, Rejection};
