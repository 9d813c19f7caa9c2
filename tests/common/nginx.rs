//! A real nginx with the shipped config/nginx.conf, private to its test.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::process::{Process, free_port, wait_for};

const CONFIG: &str = include_str!("../../config/nginx.conf");
const COMPOSE_CONFIG: &str = include_str!("../../config/nginx.compose.conf");
const SITE: &str = include_str!("../../config/nginx-site.inc");

const PID_FILE: &str = "nginx.pid";

/// A running nginx; killed on drop.
pub struct Nginx {
    port: u16,
    process: Process,
    _prefix: TempDir,
}

impl Nginx {
    /// Starts nginx with the shipped configuration on a free port, between the given addresses (`host:port`).
    pub fn start_shipped(doorward: &str, app: &str) -> Self {
        Self::start(|port| shipped_config(port, doorward, app))
    }

    /// Starts nginx with the configuration that `config` makes for a free port. `nginx-site.inc` may be included.
    pub fn start(config: impl Fn(u16) -> String) -> Self {
        let prefix = tempfile::tempdir().unwrap();
        fs::write(prefix.path().join("nginx-site.inc"), SITE).unwrap();
        loop {
            let port = free_port();
            fs::write(prefix.path().join("nginx.conf"), config(port)).unwrap();
            let mut command = Command::new("nginx");
            command.arg("-p").arg(prefix.path()).args(["-c", "nginx.conf", "-e", "stderr"]);
            // One process: killing a master leaves its workers behind.
            command.args(["-g", "daemon off; master_process off; pid nginx.pid; error_log stderr warn;"]);
            let mut process = Process::spawn("nginx", &mut command);
            if is_up(&mut process, &prefix.path().join(PID_FILE)) {
                return Self { port, process, _prefix: prefix };
            }
            // Somebody took the port since: the only reason to try anew.
            assert!(process.stderr().contains("Address already in use"), "{}", process.log());
        }
    }

    /// `127.0.0.1:PORT`
    pub fn addr(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What nginx logged, warnings and errors.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// config/nginx.conf with its addresses replaced, and everything nginx writes kept in its own folder.
pub fn shipped_config(site_port: u16, doorward: &str, app: &str) -> String {
    replace(CONFIG, site_port, &[("127.0.0.1:8080", doorward), ("127.0.0.1:9000", app)])
}

/// config/nginx.compose.conf, the same way, with its two Doorward nodes.
pub fn compose_config(site_port: u16, doorwards: [&str; 2], app: &str) -> String {
    let addrs = [("doorward-1:8080", doorwards[0]), ("doorward-2:8080", doorwards[1]), ("app:80", app)];
    replace(COMPOSE_CONFIG, site_port, &addrs)
}

fn replace(config: &str, site_port: u16, addrs: &[(&str, &str)]) -> String {
    let folders: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {kind}_temp; "))
        .concat();
    let mut replacements = vec![
        ("http {".to_owned(), format!("http {{ access_log off; {folders}")),
        ("listen 8000;".to_owned(), format!("listen 127.0.0.1:{site_port};")),
    ];
    replacements.extend(addrs.iter().map(|(from, to)| (format!("server {from}"), format!("server {to}"))));
    replacements.iter().fold(config.to_owned(), |config, (shipped, wanted)| {
        assert_eq!(config.matches(shipped).count(), 1, "not one `{shipped}` in the configuration");
        config.replace(shipped, wanted)
    })
}

/// Waits until nginx listens (true) or has given up (false): it writes its pid after it has bound its port.
fn is_up(process: &mut Process, pid_file: &Path) -> bool {
    wait_for("nginx is up", || {
        if process.exit_status().is_some() {
            return Some(false);
        }
        pid_file.exists().then_some(true)
    })
}
