//! The settings: their sources, and the [`Config`] that is made from them.
//!
//! A flag beats an environment variable, which beats the TOML file, which beats the default. All mistakes are reported at
//! once, each with the setting's name and the place where it was given. Secrets are never repeated.
//!
//! 1. `command_line`, `environment` and `toml_file` take texts from each source; `sources` merges them.
//! 2. `settings` is the table of all settings; with the parsers in `parse` it makes `Config` out of the texts.
//! 3. `consistency` checks the rules about several settings.
//! 4. `report` writes the output of `check-config`.
//! 5. `reload` reads the sources of a running server again, and says what changes.

pub mod command_line;
pub mod consistency;
pub mod did_you_mean;
pub mod environment;
pub mod given;
pub mod groups;
pub mod hash_key;
pub mod load;
pub mod mistake;
pub mod parse;
pub mod reload;
pub mod report;
pub mod setting;
pub mod settings;
pub mod sources;
#[cfg(test)]
mod tests;
pub mod text_file;
pub mod toml_file;

pub use self::hash_key::hash_key;
pub use self::load::{Command, load, load_node, load_with};
pub use self::mistake::{LoadError, Mistake};
pub use self::reload::{Reload, Sources};
pub use self::settings::Config;
