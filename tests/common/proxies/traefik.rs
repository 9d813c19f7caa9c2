//! Traefik 3.

use std::path::Path;
use std::process::Command;

use super::super::http::Client;
use super::super::ports::Port;
use super::super::process::wait_for;
use super::proxy::{Between, Proxy, replaced, tool, write};

const CONFIG: &str = include_str!("../../../config/proxies/traefik.yml");
const SITE: &str = include_str!("../../../config/proxies/traefik-site.yml");

/// Starts Traefik with traefik.yml and traefik-site.yml.
pub fn start(between: Between) -> Proxy {
    start_on(&addressed(between))
}

/// As [`start`], but asks Doorward over TLS; the authority in the file `ca` has signed its certificate.
pub fn start_tls(between: Between, ca: &Path) -> Proxy {
    let doorward = format!("http://{}", between.doorward);
    let address = format!("address: {doorward}/auth\n");
    let with_ca = format!("{address}        tls: {{ ca: {} }}\n", ca.display());
    let site = replaced(&addressed(between), &[(&address, &with_ca)]);
    start_on(&replaced(&site, &[(&doorward, &format!("https://{}", between.doorward))]))
}

fn addressed(between: Between) -> String {
    replaced(SITE, &[("127.0.0.1:8080", between.doorward), ("127.0.0.1:9000", between.app)])
}

fn start_on(site: &str) -> Proxy {
    let inner = Port::reserve();
    let inner_addr = format!("127.0.0.1:{}", inner.number());
    let inner_addr = [("127.0.0.1:8001", inner_addr.as_str())];
    let proxy = Proxy::start("traefik", |port, dir| {
        let addr = format!("\"127.0.0.1:{port}\"");
        write(dir, "traefik.yml", &replaced(&replaced(CONFIG, &inner_addr), &[("\":8000\"", &addr)]));
        write(dir, "traefik-site.yml", &replaced(site, &inner_addr));
        let mut command = Command::new(tool("traefik"));
        command.arg("--configFile=traefik.yml");
        command
    });
    // Traefik listens before it has read its routes.
    let mut client = Client::new(&proxy.addr());
    wait_for("traefik has its routes", || (client.get("/public/", &[]).status != 404).then_some(()));
    proxy.keep(inner)
}
