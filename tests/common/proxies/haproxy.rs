//! HAProxy as packaged by Debian.

use std::process::Command;

use super::proxy::{Between, Proxy, replaced, write};

const CONFIG: &str = include_str!("../../../config/proxies/haproxy.cfg");
const ACTION: &str = include_str!("../../../config/proxies/haproxy-doorward.lua");

/// Starts HAProxy with haproxy.cfg and haproxy-doorward.lua.
pub fn start(between: Between) -> Proxy {
    start_on(CONFIG, between)
}

/// As [`start`], without the token for the application.
pub fn start_without_token(between: Between) -> Proxy {
    start_on(&replaced(CONFIG, &[("#http-request", "http-request")]), between)
}

fn start_on(config: &str, between: Between) -> Proxy {
    let config = replaced(
        config,
        &[
            ("127.0.0.1:8080", between.doorward),
            ("127.0.0.1:9000", between.app),
            ("config/proxies/haproxy-doorward.lua", "haproxy-doorward.lua"),
        ],
    );
    Proxy::start("haproxy", |port, dir| {
        write(dir, "haproxy.cfg", &replaced(&config, &[("bind :8000", &format!("bind 127.0.0.1:{port}"))]));
        write(dir, "haproxy-doorward.lua", ACTION);
        let mut command = Command::new("haproxy");
        command.args(["-db", "-f", "haproxy.cfg"]);
        command
    })
}
