//! The audit log: one line for each change, with who, from where, what, whom and the outcome.
//!
//! A change is written down as an [`AuditEntry`] while it is made. Its [`AuditLine`] is written once the outcome is known.

pub mod action;
pub mod entry;
pub mod line;

pub use self::action::Action;
pub use self::entry::{AuditEntry, ImportCounts};
pub use self::line::AuditedRequest;
pub use self::line::{AUDIT, AuditLine, AuditOutcome};
