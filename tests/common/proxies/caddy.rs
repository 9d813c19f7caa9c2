//! Caddy, in Debian's version and a newer one.

use std::path::Path;
use std::process::Command;

use super::proxy::{Between, Proxy, replaced, tool, write};

const CONFIG: &str = include_str!("../../../config/proxies/Caddyfile");

/// Starts Debian's Caddy 2.6 with the Caddyfile.
pub fn start_2_6(between: Between) -> Proxy {
    start("caddy".as_ref(), CONFIG, between)
}

/// Starts Caddy 2.11 with the Caddyfile.
pub fn start_2_11(between: Between) -> Proxy {
    start(&tool("caddy"), CONFIG, between)
}

/// As [`start_2_6`], without the token for the application.
pub fn start_2_6_without_token(between: Between) -> Proxy {
    start("caddy".as_ref(), &without_token(), between)
}

/// As [`start_2_11`], without the token for the application.
pub fn start_2_11_without_token(between: Between) -> Proxy {
    start(&tool("caddy"), &without_token(), between)
}

fn without_token() -> String {
    let to_app = "reverse_proxy 127.0.0.1:9000";
    replaced(CONFIG, &[(to_app, &format!("import without_token\n\t\t{to_app}"))])
}

fn start(program: &Path, config: &str, between: Between) -> Proxy {
    let addrs = [("127.0.0.1:8080", between.doorward), ("127.0.0.1:9000", between.app)];
    let config = replaced(config, &addrs);
    Proxy::start("caddy", |port, dir| {
        write(dir, "Caddyfile", &replaced(&config, &[("http://:8000", &format!("http://:{port}"))]));
        let mut command = Command::new(program);
        // Caddy keeps its state in the home folder.
        command.env("HOME", dir).args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"]);
        command
    })
}
