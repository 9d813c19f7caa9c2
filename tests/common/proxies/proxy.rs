//! A running proxy, and its configuration.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::super::ports::Port;
use super::super::process::Process;

/// The addresses that a proxy connects to.
#[derive(Clone, Copy)]
pub struct Between<'a> {
    /// Doorward's validation plane, `host:port`.
    pub doorward: &'a str,
    /// Doorward's gRPC listener, `host:port`.
    pub grpc: &'a str,
    /// Doorward's admin plane, `host:port`.
    pub admin: &'a str,
    /// The application, `host:port`.
    pub app: &'a str,
}

/// A running proxy; killed on drop.
pub struct Proxy {
    port: Port,
    /// Further ports that the proxy listens on.
    inner: Vec<Port>,
    process: Process,
    _dir: TempDir,
}

impl Proxy {
    /// Starts a proxy on its own port. `prepare` gets the port and an empty folder, writes the configuration there, and
    /// returns the command that runs the proxy in the foreground as one process.
    pub fn start(name: &str, prepare: impl Fn(u16, &Path) -> Command) -> Self {
        let (port, dir) = (Port::reserve(), tempfile::tempdir().unwrap());
        let mut command = prepare(port.number(), dir.path());
        let mut process = Process::spawn(name, command.current_dir(dir.path()));
        process.wait_until("listening", |_| TcpStream::connect(("127.0.0.1", port.number())).is_ok());
        Self { port, inner: Vec::new(), process, _dir: dir }
    }

    /// Keeps a further port reserved as long as the proxy runs.
    pub fn keep(mut self, inner: Port) -> Self {
        self.inner.push(inner);
        self
    }

    /// `127.0.0.1:PORT`
    pub fn addr(&self) -> String {
        format!("127.0.0.1:{}", self.port.number())
    }

    /// Returns both outputs so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// Returns a program that scripts/setup installs from a Python package.
pub fn tool(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin").join(name)
}

/// Returns a shipped configuration with texts replaced. Panics if a text is missing, so that the shipped file is what
/// is tested.
pub fn replaced(config: &str, texts: &[(&str, &str)]) -> String {
    texts.iter().fold(config.to_owned(), |config, (shipped, wanted)| {
        assert!(config.contains(shipped), "no `{shipped}` in the configuration");
        config.replace(shipped, wanted)
    })
}

pub fn write(dir: &Path, name: &str, content: &str) {
    fs::write(dir.join(name), content).unwrap();
}
