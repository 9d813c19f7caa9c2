//! The command line of the binary: serve, check the settings, ask for health, hash an API key.

pub mod command_line;
pub mod healthcheck;
pub mod output;
pub mod ready_message;
pub mod run;
pub mod runtime;
pub mod serve;

pub use self::run::run;
