//! The use cases, one method each. Knows no HTTP and no Redis.

pub mod core;
pub mod devices;
pub mod error;
pub mod policy;
pub mod related;
pub mod takeovers;
pub mod token_keys;
pub mod tokens;

pub use self::core::Service;
pub use self::devices::{MadeDevice, NewDevice};
pub use self::error::ServiceError;
pub use self::policy::TokenPolicy;
pub use self::tokens::{Issued, NewToken};
