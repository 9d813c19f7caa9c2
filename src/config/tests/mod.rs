//! The settings as a whole: from flags, variables and files to values and reports.

mod command_line;
mod consistency;
mod environment;
mod files;
mod lists;
mod mistakes;
mod parsers;
mod reload;
mod sample;
mod secrets;
mod support;
mod toml_file;
