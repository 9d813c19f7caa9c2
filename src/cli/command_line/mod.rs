//! The command line: what it asks for, or all mistakes in it and in the settings.

pub mod clap_error;
pub mod invocation;
#[cfg(test)]
mod tests;
pub mod verbs;

pub use self::invocation::{Invocation, read, read_with};
pub use self::verbs::{ClientVerb, ServerVerb, command};
