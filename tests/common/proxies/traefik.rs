//! Traefik 3.

use std::process::Command;

use super::super::http::Client;
use super::super::process::wait_for;
use super::{Between, Proxy, replaced, tool, write};

const CONFIG: &str = include_str!("../../../config/proxies/traefik.yml");
const SITE: &str = include_str!("../../../config/proxies/traefik-site.yml");

/// traefik.yml and traefik-site.yml.
pub fn start(between: Between) -> Proxy {
    let site = replaced(SITE, &[("127.0.0.1:8080", between.doorward), ("127.0.0.1:9000", between.app)]);
    let proxy = Proxy::start("traefik", |port, dir| {
        let addr = format!("\"127.0.0.1:{port}\"");
        write(dir, "traefik.yml", &replaced(CONFIG, &[("\":8000\"", &addr)]));
        write(dir, "traefik-site.yml", &site);
        let mut command = Command::new(tool("traefik"));
        command.arg("--configFile=traefik.yml");
        command
    });
    // It listens before it has read its routes.
    let mut client = Client::new(&proxy.addr());
    wait_for("traefik has its routes", || (client.get("/public/", &[]).status != 404).then_some(()));
    proxy
}
