//! Is this token string valid, now, on this transport?

pub mod batch;
pub mod identity;
pub mod validator;

pub use self::identity::Identity;
pub use self::validator::{Access, Judged, Judgement, LookUp, Validator};
