//! The command line of the binary.
//!
//! 1. `command_line` reads it: the commands with their flags, or all mistakes at once.
//! 2. `run` runs the command. Those with the settings of a server are here.
//! 3. `commands` has the others, `admin` the client of the admin plane that most of them use, `show` what they print.

pub mod admin;
pub mod check_config;
pub mod command_line;
pub mod commands;
pub mod doctor;
pub mod healthcheck;
pub mod output;
pub mod ready_message;
pub mod run;
pub mod runtime;
pub mod serve;
pub mod show;
pub mod sources;
pub mod verify;

pub use self::run::run;
