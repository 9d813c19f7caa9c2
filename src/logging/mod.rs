//! The log: a writer that cannot stop the server, a limit on the lines of a repeated fault, the audit log and
//! the access log.

pub mod access;
pub mod audit;
pub mod repeated_fault;
pub mod text;
pub mod writer;

pub use self::repeated_fault::{DueLine, RepeatedFault};
pub use self::writer::{flush, lost_lines, set_filter, start};
