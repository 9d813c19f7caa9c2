//! The sources of a process's settings.

use std::ffi::{OsStr, OsString};

use super::command_line::{Invocation, read, read_with};
use crate::config::text_file::read_filled_file;
use crate::config::{Config, LoadError, Mistake};

/// The command line and the environment of the process, which name the files.
#[derive(Clone)]
pub(crate) struct Sources {
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
}

impl Sources {
    /// `args` starts with the program's name.
    pub(crate) fn new(
        args: impl IntoIterator<Item = OsString>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        Self { args: args.into_iter().collect(), env: env.into_iter().collect() }
    }

    /// Returns the environment.
    pub(crate) fn into_env(self) -> Vec<(OsString, OsString)> {
        self.env
    }

    /// Returns a variable of the environment.
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_os_str())
    }

    /// Reads the command line, and the settings if its command needs them.
    ///
    /// # Errors
    /// All mistakes at once.
    pub(crate) fn read(&self) -> Result<Invocation, LoadError> {
        read(self.args.clone(), self.env.clone())
    }

    /// Reads the settings of a running server again: the files as they are now, flags and variables as at the start.
    ///
    /// # Errors
    /// All mistakes at once. An empty file is a mistake, although a server may start with one: it is probably being
    /// written, and as settings it would remove every key.
    pub(crate) fn read_again(&self) -> Result<Config, LoadError> {
        match read_with(self.args.clone(), self.env.clone(), &read_filled_file)? {
            Invocation::Server(_, loaded) => Ok(loaded.config),
            // Cannot happen: this command line has started a server.
            _ => Err(LoadError {
                mistakes: vec![Mistake::new("doorward", "command line", "is not of a server")],
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_a_mistake_at_a_reload() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("doorward.toml");
        std::fs::write(&path, " \n").unwrap();
        let args = ["doorward".into(), "--config".into(), path.clone().into()];
        let sources = Sources::new(args, []);
        assert!(sources.read().is_ok(), "a server may start with it");
        let error = sources.read_again().unwrap_err().to_string();
        assert!(error.contains("config") && error.contains("it is empty"), "{error}");
        std::fs::write(&path, "# no settings\n").unwrap();
        assert!(sources.read_again().is_ok());
    }
}
