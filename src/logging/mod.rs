//! The log: a writer that cannot stop the server, a limit on the lines of a repeated fault, the audit log and
//! the access log.

#[cfg(feature = "server")]
pub mod access;
pub mod audit;
pub mod repeated_fault;
pub mod text;
#[cfg(feature = "server")]
pub mod writer;

pub use self::repeated_fault::{DueLine, RepeatedFault};
#[cfg(feature = "server")]
pub use self::writer::{flush, lost_lines, set_filter, start};
