//! The settings: their sources, and the [`Config`] that is made from them.
//!
//! A flag beats an environment variable, which beats the TOML file, which beats the default. All mistakes are reported at
//! once, each with the setting's name and the place where it was given. Secrets are never repeated.
//!
//! 1. `setting_flags`, `environment` and `toml_file` take texts from each source; `sources` merges them.
//! 2. `settings` is the table of all settings; with the parsers in `parse` it makes `Config` out of the texts.
//! 3. `secret_files` reads the secret files that tables name, and `consistency` checks the rules about several settings.
//! 4. `report` writes the output of `check-config`.
//! 5. `reload` compares the settings of a running server with new ones, and says what changes.

pub mod consistency;
pub mod environment;
pub mod given;
pub mod groups;
pub mod load;
#[cfg(feature = "server")]
pub mod load_server;
pub mod mistake;
pub mod parse;
#[cfg(feature = "server")]
pub mod reload;
#[cfg(feature = "server")]
pub mod report;
pub mod secret_files;
pub mod setting;
#[cfg(feature = "server")]
pub mod setting_flags;
pub mod settings;
pub mod sources;
#[cfg(all(test, feature = "server"))]
pub(crate) mod tests;
pub mod text_file;
pub mod toml_file;

pub use self::load::load_node;
#[cfg(feature = "server")]
pub use self::load_server::Loaded;
#[cfg(feature = "server")]
pub(crate) use self::load_server::load_server;
pub use self::mistake::{LoadError, Mistake};
#[cfg(feature = "server")]
pub use self::reload::{LoadAgain, Reload};
#[cfg(feature = "server")]
pub(crate) use self::setting_flags::SettingFlags;
pub use self::settings::Config;
#[cfg(feature = "server")]
pub use crate::config::parse::api_keys::hash_key;
