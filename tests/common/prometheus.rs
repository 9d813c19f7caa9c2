//! A real Prometheus with the shipped configuration, and promtool.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::http::Client;
use super::ports::Port;
use super::process::{Process, wait_for};
use super::proxies::proxy::replaced;
use super::server::{ADMIN_KEY, Server};

/// The folder of the shipped configuration.
pub fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/prometheus")
}

/// Writes the shipped configuration into a folder, with these addresses instead of its own, scraped once a second.
pub fn write_config(folder: &Path, metrics_listen: &str, admin_listen: &str) -> PathBuf {
    let (key_file, path) = (folder.join("key"), folder.join("prometheus.yml"));
    fs::write(&key_file, ADMIN_KEY).unwrap();
    let config = fs::read_to_string(shipped().join("prometheus.yml")).unwrap();
    let config = replaced(
        &config,
        &[
            ("interval: 15s", "interval: 1s"),
            ("127.0.0.1:9145", metrics_listen),
            ("127.0.0.1:8081", admin_listen),
            ("/etc/prometheus/doorward-metrics-key", key_file.to_str().unwrap()),
        ],
    );
    fs::write(&path, config).unwrap();
    fs::copy(shipped().join("alerts.yml"), folder.join("alerts.yml")).unwrap();
    path
}

/// Runs promtool on the shipped folder.
pub fn promtool(arguments: &[&str], stdin: Stdio) -> Output {
    let mut command = Command::new("promtool");
    command.args(arguments).current_dir(shipped()).stdin(stdin);
    command.output().unwrap_or_else(|error| panic!("cannot run promtool ({error}): run scripts/setup"))
}

/// A running Prometheus; killed on drop.
pub struct Prometheus {
    port: Port,
    process: Process,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    /// Starts Prometheus with the shipped configuration, and waits until it is ready.
    pub fn scraping(server: &Server) -> Self {
        let (port, folder) = (Port::reserve(), tempfile::tempdir().unwrap());
        let config = write_config(folder.path(), server.metrics_listen(), server.admin_listen());
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{}", port.number()));
        let process = Process::spawn("prometheus", &mut command);
        let mut prometheus = Self { port, process, _folder: folder };
        let address = prometheus.address();
        prometheus.process.wait_until("ready", |_| {
            std::net::TcpStream::connect(&address).is_ok()
                && Client::new(&address).get("/-/ready", &[]).status == 200
        });
        prometheus
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port.number())
    }

    /// Calls its API and returns `data`. Panics if it answers with an error.
    pub fn api(&self, path: &str) -> Value {
        let response = Client::new(&self.address()).get(&format!("/api/v1/{path}"), &[]);
        let body = response.json();
        assert_eq!(body["status"], "success", "{path}: {body}");
        body["data"].clone()
    }

    /// Evaluates an expression now.
    pub fn query(&self, expression: &str) -> Vec<Value> {
        let query: String = form_urlencoded::byte_serialize(expression.as_bytes()).collect();
        self.api(&format!("query?query={query}"))["result"].as_array().cloned().unwrap_or_default()
    }

    /// Waits until an expression has a result.
    pub fn wait_for(&self, expression: &str) -> Vec<Value> {
        wait_for(expression, || Some(self.query(expression)).filter(|result| !result.is_empty()))
    }
}
