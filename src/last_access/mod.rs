//! The last access of each token: recorded on the request path without waiting, written by a worker in rounds.
//!
//! **Recording.** The request path sets the access on the copy of the record that it holds ([`AccessMark`]). Only the
//! first access through a copy, and a renewal, take a lock. Recording never fails a request: if the queue is full, the
//! access is counted as dropped.
//!
//! **Flushing.** A round writes every token accessed since the last one, as long as these are few ([`PROMPT_WRITES`]). If
//! they are many, a token is written at most once in `touch-resolution`. Otherwise a site that checks 10,000 tokens a
//! second would spend much of its store on exact times of access. Renewals are always written; a renewal of a token that
//! is about to expire wakes the worker at once.
//!
//! **Earned renewals.** A renewal counts before it is written ([`LastAccess::earned`]). While the store is away, each
//! access is in time by what the one before it has earned. The whole chain is written once the store is back.
//!
//! [`AccessMark`]: crate::model::token::AccessMark
//! [`PROMPT_WRITES`]: self::queue::PROMPT_WRITES

pub mod flusher;
pub mod queue;
pub mod recorder;
// The tests take a Redis away from the queue.
#[cfg(all(test, feature = "redis"))]
pub mod tests;

pub use self::recorder::LastAccess;
