//! The settings as a whole: from flags, variables and files to values and reports.

mod consistency;
mod environment;
mod files;
mod lists;
mod mistakes;
mod parsers;
mod reload;
mod sample;
mod secrets;
pub(crate) mod support;
mod toml_file;
