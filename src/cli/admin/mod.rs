//! The client of the admin plane: where it is, the key, one call, its failure.

pub mod client;
pub mod environment;
pub mod failure;
pub mod flags;
pub mod key;
pub mod session;

pub use self::client::{AdminClient, segment};
pub use self::environment::Environment;
pub use self::failure::Failure;
pub use self::flags::AdminFlags;
pub use self::session::{WithAdmin, run};
