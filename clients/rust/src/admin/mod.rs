//! The admin plane: the lifecycle of tokens.

mod call;
mod devices;
mod takeovers;
mod tokens;
mod users;

pub use self::call::Admin;
pub(crate) use self::tokens::MAX_BATCH;
