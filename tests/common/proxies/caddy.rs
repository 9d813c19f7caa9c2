//! Caddy, in Debian's version and a newer one.

use std::path::Path;
use std::process::Command;

use super::proxy::{Between, Proxy, replaced, tool, write};

const CONFIG: &str = include_str!("../../../config/proxies/Caddyfile");

/// Starts Debian's Caddy 2.6 with the Caddyfile.
pub fn start_2_6(between: Between) -> Proxy {
    start("caddy".as_ref(), between)
}

/// Starts Caddy 2.11 with the Caddyfile.
pub fn start_2_11(between: Between) -> Proxy {
    start(&tool("caddy"), between)
}

fn start(program: &Path, between: Between) -> Proxy {
    let addrs = [("127.0.0.1:8080", between.doorward), ("127.0.0.1:9000", between.app)];
    let config = replaced(CONFIG, &addrs);
    Proxy::start("caddy", |port, dir| {
        write(dir, "Caddyfile", &replaced(&config, &[("http://:8000", &format!("http://:{port}"))]));
        let mut command = Command::new(program);
        // Caddy keeps its state in the home folder.
        command.env("HOME", dir).args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"]);
        command
    })
}
