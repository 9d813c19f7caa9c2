//! The store: an enum over the embedded store and Redis, so that a caller need not know which it is.
//!
//! Every operation decides in one atomic step per user what it changes. Validity is judged by the node's clock, passed in as
//! `now_ms`. The node's clock follows the store's clock.

pub mod alias;
pub mod cache;
pub mod call;
pub mod change_counters;
pub mod check_up;
pub mod dispatch;
pub mod error;
pub mod feed;
pub mod limits;
pub mod live_tokens;
pub mod memory;
mod on_store;
pub mod pace;
pub mod record_read;
pub mod record_reader;
#[cfg(feature = "redis")]
pub mod redis;
pub mod rejection;
pub mod report;
pub mod walk;

pub use self::call::Call;
pub use self::dispatch::store::Store;
pub use self::error::{StoreError, Unwritten};
pub use self::limits::StoreLimits;
pub use self::rejection::{Outcome, Rejection};
