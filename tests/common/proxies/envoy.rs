//! Envoy.

use std::process::Command;

use super::proxy::{Between, Proxy, replaced, tool, write};

const HTTP_CONFIG: &str = include_str!("../../../config/proxies/envoy-http.yaml");

const LOGIN: &str = include_str!("../../../config/proxies/envoy-login.lua");

const GRPC_CONFIG: &str = include_str!("../../../config/proxies/envoy-grpc.yaml");

/// Starts Envoy with envoy-http.yaml.
pub fn start_http(between: Between) -> Proxy {
    start(&addressed(HTTP_CONFIG, &[("8080", between.doorward), ("9000", between.app)]))
}

/// Starts Envoy with envoy-grpc.yaml.
pub fn start_grpc(between: Between) -> Proxy {
    let addrs = [("8080", between.doorward), ("8082", between.grpc), ("9000", between.app)];
    start(&addressed(GRPC_CONFIG, &addrs))
}

/// Envoy configures host and port separately. All hosts are 127.0.0.1.
fn addressed(config: &str, addrs: &[(&str, &str)]) -> String {
    let endpoint = |port: &str| format!("address: 127.0.0.1, port_value: {port} }}");
    addrs.iter().fold(config.to_owned(), |config, (shipped, addr)| {
        let port = addr.strip_prefix("127.0.0.1:").unwrap();
        replaced(&config, &[(&endpoint(shipped), &endpoint(port))])
    })
}

fn start(config: &str) -> Proxy {
    Proxy::start("envoy", |port, dir| {
        let listen = format!("address: 127.0.0.1, port_value: {port} }}");
        let texts = [
            ("address: 0.0.0.0, port_value: 8000 }", listen.as_str()),
            ("config/proxies/envoy-login.lua", "envoy-login.lua"),
        ];
        write(dir, "envoy.yaml", &replaced(config, &texts));
        write(dir, "envoy-login.lua", LOGIN);
        let mut command = Command::new(tool("envoy"));
        command.args(["-c", "envoy.yaml", "--disable-hot-restart", "--log-level", "warning"]);
        command
    })
}
