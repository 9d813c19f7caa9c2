//! Apache httpd with mod_oauth2 as packaged by Debian.

use std::process::Command;

use super::super::server::ADMIN_KEY;
use super::proxy::{Between, Proxy, replaced, write};

const CONFIG: &str = include_str!("../../../config/proxies/apache.conf");

/// Starts Apache with apache.conf.
pub fn start(between: Between) -> Proxy {
    let addrs = [
        ("127.0.0.1:8080", between.doorward),
        ("127.0.0.1:8081", between.admin),
        ("127.0.0.1:9000", between.app),
        ("the-key-of-apache-0123456789abcdefgh", ADMIN_KEY),
    ];
    let config = replaced(CONFIG, &addrs);
    Proxy::start("apache2", |port, dir| {
        let listen = format!("Listen 127.0.0.1:{port}");
        let pid_file = format!("PidFile {}/pid", dir.display());
        let texts = [("Listen 8000", listen.as_str()), ("PidFile /run/apache2/doorward.pid", &pid_file)];
        // Apache also keeps its locks and shared memory in its own folder.
        let config = format!("DefaultRuntimeDir {}\n{}", dir.display(), replaced(&config, &texts));
        write(dir, "apache.conf", &config);
        let mut command = Command::new("apache2");
        // One process, because killing the first of several leaves the others behind.
        command.arg("-X").arg("-f").arg(dir.join("apache.conf"));
        command
    })
}
