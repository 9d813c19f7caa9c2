//! The log: a writer that cannot stop the server, and a limit on the lines of a repeated fault.

pub mod repeated_fault;
pub mod writer;

pub use self::repeated_fault::{DueLine, RepeatedFault};
pub use self::writer::{flush, lost_lines, set_level, start};
