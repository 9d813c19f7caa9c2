//! Envoy.

use std::process::Command;

use super::{Between, Proxy, replaced, tool, write};

const HTTP_CONFIG: &str = include_str!("../../../config/proxies/envoy-http.yaml");

/// envoy-http.yaml.
pub fn start_http(between: Between) -> Proxy {
    let endpoint = |port: &str| format!("address: 127.0.0.1, port_value: {port} }}");
    let config = replaced(
        HTTP_CONFIG,
        &[
            (&endpoint("8080"), &endpoint(port(between.doorward))),
            (&endpoint("9000"), &endpoint(port(between.app))),
        ],
    );
    start(&config)
}

fn start(config: &str) -> Proxy {
    Proxy::start("envoy", |port, dir| {
        let listen = format!("address: 127.0.0.1, port_value: {port} }}");
        write(dir, "envoy.yaml", &replaced(config, &[("address: 0.0.0.0, port_value: 8000 }", &listen)]));
        let mut command = Command::new(tool("envoy"));
        command.args(["-c", "envoy.yaml", "--disable-hot-restart", "--log-level", "warning"]);
        command
    })
}

/// Of an address on 127.0.0.1: Envoy names the two apart.
fn port(addr: &str) -> &str {
    addr.strip_prefix("127.0.0.1:").unwrap()
}
