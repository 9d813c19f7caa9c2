//! Caddy, the one of Debian and a new one.

use std::path::Path;
use std::process::Command;

use super::proxy::{Between, Proxy, replaced, tool, write};

const CONFIG: &str = include_str!("../../../config/proxies/Caddyfile");

/// Caddyfile on Debian's Caddy 2.6.
pub fn start_2_6(between: Between) -> Proxy {
    start("caddy".as_ref(), between)
}

/// Caddyfile on Caddy 2.11.
pub fn start_2_11(between: Between) -> Proxy {
    start(&tool("caddy"), between)
}

fn start(program: &Path, between: Between) -> Proxy {
    let addrs = [("127.0.0.1:8080", between.doorward), ("127.0.0.1:9000", between.app)];
    let config = replaced(CONFIG, &addrs);
    Proxy::start("caddy", |port, dir| {
        write(dir, "Caddyfile", &replaced(&config, &[("http://:8000", &format!("http://:{port}"))]));
        let mut command = Command::new(program);
        // It keeps its state in the home folder.
        command.env("HOME", dir).args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"]);
        command
    })
}
