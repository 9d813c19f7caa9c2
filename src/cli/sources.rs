//! The sources of a process's settings.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::command_line::{Invocation, read, read_with};
use crate::config::text_file::read_filled_file;
use crate::config::{Config, LoadError, Mistake};
use crate::files::read_bounded;

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

    /// Reads the command line and the environment with which another process was started (proc(5)).
    ///
    /// # Errors
    /// If there is no such process, it has another user, or the system has no `/proc`.
    pub(crate) fn of_process(pid: u32) -> io::Result<Self> {
        let read = |name| read_bounded(&Path::new("/proc").join(pid.to_string()).join(name));
        let (args, env) = (read("cmdline")?, read("environ")?);
        let texts = |bytes: &[u8]| -> Vec<OsString> {
            let parts = bytes.split(|byte| *byte == 0).filter(|part| !part.is_empty());
            parts.map(|part| OsStr::from_bytes(part).to_owned()).collect()
        };
        let variable = |text: OsString| {
            let (name, value) =
                text.as_bytes().split_at(text.as_bytes().iter().position(|byte| *byte == b'=')?);
            Some((OsStr::from_bytes(name).to_owned(), OsStr::from_bytes(&value[1..]).to_owned()))
        };
        Ok(Self::new(texts(&args), texts(&env).into_iter().filter_map(variable)))
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

    #[cfg(target_os = "linux")]
    #[test]
    fn the_sources_of_a_process_are_those_that_it_was_started_with() {
        let sources = Sources::of_process(std::process::id()).unwrap();
        assert_eq!(sources.args, std::env::args_os().collect::<Vec<_>>());
        assert_eq!(sources.variable("PATH"), std::env::var_os("PATH").as_deref());
        assert!(Sources::of_process(u32::MAX).is_err());
    }

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
