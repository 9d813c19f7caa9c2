//! Settings of a running server: its sources are read again, and the result is compared with the running settings.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use super::load::{Command, load, load_with};
use super::mistake::{LoadError, Mistake};
use super::settings::Config;
use super::text_file::read_text_file;

/// The sources of a process's settings: its command line and its environment, which name the files.
#[derive(Clone)]
pub struct Sources {
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
}

impl Sources {
    /// `args` starts with the program's name.
    pub fn new(
        args: impl IntoIterator<Item = OsString>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        Self { args: args.into_iter().collect(), env: env.into_iter().collect() }
    }

    /// Loads the command and its settings at the start of the process.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn load(&self) -> Result<Command, LoadError> {
        load(self.args.clone(), self.env.clone())
    }

    /// Loads the settings of a running server again. Flags and variables are those of the start; the files are read again.
    ///
    /// # Errors
    /// All mistakes at once. An empty file is a mistake, although a server may start with one: somebody is probably
    /// writing it, and as settings it would remove every key.
    pub fn load_again(&self) -> Result<Config, LoadError> {
        match load_with(self.args.clone(), self.env.clone(), &read_filled_file)? {
            Command::Serve(config) => Ok(config),
            // The same command line has started a server.
            _ => Err(LoadError { mistakes: vec![Mistake::new("command", "command line", "is not serve")] }),
        }
    }
}

fn read_filled_file(path: &Path) -> io::Result<String> {
    let text = read_text_file(path)?;
    if text.trim().is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is empty"));
    }
    Ok(text)
}

/// What the settings of the sources make of those of a running server.
#[derive(Debug)]
pub struct Reload {
    /// The running settings after the reload.
    pub config: Config,
    /// The settings that change now.
    pub changed: Vec<&'static str>,
    /// The settings that the sources change and the running server keeps.
    pub needs_restart: Vec<&'static str>,
}

impl Reload {
    /// Compares the settings of a running server with those of its sources.
    pub fn new(running: &Config, sources: &Config) -> Self {
        let mut config = running.with_reloadable_of(sources);
        // A listener speaks either TLS or plain HTTP as long as it is open.
        if running.tls_cert.is_some() != sources.tls_cert.is_some() {
            config.tls_cert.clone_from(&running.tls_cert);
            config.tls_key.clone_from(&running.tls_key);
        }
        if running.admin_tls_cert.is_some() != sources.admin_tls_cert.is_some() {
            config.admin_tls_cert.clone_from(&running.admin_tls_cert);
            config.admin_tls_key.clone_from(&running.admin_tls_key);
            config.admin_client_ca.clone_from(&running.admin_client_ca);
        }
        Self { changed: running.differences(&config), needs_restart: config.differences(sources), config }
    }
}
