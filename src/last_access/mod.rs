//! Accesses are recorded on the request path without waiting, and written down by a worker in rounds.
//!
//! The request path notes an access on the copy of the record that it holds ([`AccessMark`]); only the first
//! access through a copy, and a renewal, take a lock here. A record never fails a request: when the queue is
//! full the access is counted as dropped.
//!
//! A round writes every token accessed since the last one, as long as these are few ([`PROMPT_WRITES`]). When
//! they are many, a token is written at most once in `touch-resolution`: a site that checks 10,000 tokens a
//! second would otherwise spend a good part of its store on when exactly each was seen last. Renewals are
//! always written, and one of a token about to expire wakes the worker at once.
//!
//! What was earned counts before it is written: [`LastAccess::earned_ms`]. While the store is away, each access is in time by
//! what the one before it has earned; the whole chain is written once the store is back.
//!
//! [`AccessMark`]: crate::model::token::AccessMark

pub mod recorder;
#[cfg(test)]
pub mod tests;

pub use self::recorder::LastAccess;
