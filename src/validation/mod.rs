//! Validation: is this token string valid, now, on this transport?
//!
//! [`identify`] finds the token that a string names. [`judge`] is the hot path: it judges by the record in memory. [`look_up`] reads what
//! the judgement lacks. [`batch`] judges many strings at once. [`counters`] counts and times all of them.

pub mod batch;
pub mod counters;
pub mod identify;
pub mod identity;
pub mod judge;
pub mod judgement;
pub mod latency;
pub mod look_up;
pub mod validator;

pub use self::identity::Identity;
pub use self::judgement::{Access, Judged, Judgement, LookUp};
pub use self::validator::Validator;
