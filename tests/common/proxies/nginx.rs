//! nginx as packaged by Debian.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::proxy::{Between, Proxy, replaced, write};

const CONFIG: &str = include_str!("../../../config/proxies/nginx.conf");
const CACHED_CONFIG: &str = include_str!("../../../config/proxies/nginx-cached.conf");
const COMPOSE_CONFIG: &str = include_str!("../../../config/proxies/nginx.compose.conf");
const SITE: &str = include_str!("../../../config/proxies/nginx-site.inc");
const ASK: &str = include_str!("../../../config/proxies/nginx-ask.inc");
const DOORWARD_HEADERS: &str = include_str!("../../../config/proxies/nginx-doorward-headers.inc");
const LOGIN: &str = include_str!("../../../config/proxies/nginx-login.inc");
const LOGIN_SCRIPT: &str = include_str!("../../../config/proxies/nginx-login.js");
const STRIP_TOKEN: &str = include_str!("../../../config/proxies/nginx-strip-token.inc");

/// Starts nginx with nginx.conf.
pub fn start(between: Between) -> Proxy {
    start_on(&replaced(CONFIG, &addrs(between)))
}

/// As [`start`], with a header by which the application knows the proxy.
pub fn start_with_secret(between: Between, secret: &str) -> Proxy {
    let first = "proxy_set_header X-Auth-User ";
    let line = format!("proxy_set_header X-Proxy-Secret \"{secret}\";\n{first}");
    start_site(&replaced(CONFIG, &addrs(between)), &replaced(SITE, &[(first, &line)]))
}

/// As [`start`], with nginx-strip-token.inc.
pub fn start_without_token(between: Between) -> Proxy {
    let config = replaced(CONFIG, &addrs(between));
    let config = replaced(&config, &[("http {", "http {\n    include nginx-strip-token.inc;")]);
    let site = replaced(SITE, &[("#proxy_set_header", "proxy_set_header")]);
    start_site(&config, &site)
}

/// As [`start`], with nginx-login.inc and Debian's module njs.
pub fn start_with_login(between: Between) -> Proxy {
    let config = replaced(CONFIG, &addrs(between));
    let lines = [
        ("#load_module modules/", "load_module /usr/lib/nginx/modules/"),
        ("#js_import ", "js_import "),
        ("#include nginx-login.inc", "include nginx-login.inc"),
    ];
    start_on(&replaced(&config, &lines))
}

/// Starts nginx with nginx-cached.conf.
pub fn start_cached(between: Between) -> Proxy {
    let config = replaced(CACHED_CONFIG, &addrs(between));
    start_on(&replaced(&config, &[("/run/nginx-doorward-answers", "answers")]))
}

/// As [`start_cached`], with a location for staff that uses a copy of the `/auth` block.
pub fn start_cached_with_staff(between: Between) -> Proxy {
    let config = replaced(CACHED_CONFIG, &addrs(between));
    let config = replaced(&config, &[("/run/nginx-doorward-answers", "answers")]);
    let start = config.find("location = /_doorward_auth {").expect("the block that asks");
    let block = &config[start..config[start..].find("\n        }").expect("its end") + start];
    let question =
        [("/_doorward_auth ", "/_doorward_staff "), ("http://doorward/auth", "http://doorward/check/staff")];
    let staff = "location /staff/ { auth_request /_doorward_staff; proxy_pass http://app; }";
    let copy = format!("{staff}\n{}\n}}\n{block}", replaced(block, &question));
    start_on(&replaced(&config, &[(block, &copy)]))
}

/// Starts nginx with nginx.compose.conf and its two Doorward nodes, without `resolve`, which this nginx does not know
/// yet.
pub fn start_compose(doorwards: [&str; 2], app: &str) -> Proxy {
    let addrs = [
        ("doorward-1:8080 resolve", doorwards[0]),
        ("doorward-2:8080 resolve", doorwards[1]),
        ("server app:80 resolve", &format!("server {app}")),
    ];
    start_on(&replaced(COMPOSE_CONFIG, &addrs))
}

fn addrs(between: Between<'_>) -> [(&'static str, &str); 2] {
    [("127.0.0.1:8080", between.doorward), ("127.0.0.1:9000", between.app)]
}

fn start_on(config: &str) -> Proxy {
    start_site(config, SITE)
}

fn start_site(config: &str, site: &str) -> Proxy {
    Proxy::start("nginx", |port, dir| {
        write_config(port, dir, config, site);
        let mut command = command(dir);
        // One process, because killing a master leaves its workers behind.
        command.args(["-g", "daemon off; master_process off; pid nginx.pid; error_log stderr warn;"]);
        command
    })
}

/// Writes nginx.conf and the files that it includes.
fn write_config(port: u16, dir: &Path, config: &str, site: &str) {
    let listen = format!("listen 127.0.0.1:{port};");
    write(dir, "nginx.conf", &replaced(config, &[("listen 8000;", &listen), ("http {", &http(dir))]));
    write(dir, "nginx-site.inc", site);
    write(dir, "nginx-ask.inc", ASK);
    write(dir, "nginx-doorward-headers.inc", DOORWARD_HEADERS);
    write(dir, "nginx-strip-token.inc", STRIP_TOKEN);
    write(dir, "nginx-login.inc", LOGIN);
    write(dir, "nginx-login.js", LOGIN_SCRIPT);
}

/// Writes nginx.conf with texts replaced, and the files that it includes.
pub fn write_with(port: u16, dir: &Path, between: Between, texts: &[(&str, &str)]) {
    write_config(port, dir, &replaced(&replaced(CONFIG, &addrs(between)), texts), SITE);
}

/// Returns the command that runs nginx in a folder; it has no `-g` yet.
pub fn command(dir: &Path) -> Command {
    let mut command = Command::new("nginx");
    command.arg("-p").arg(dir).args(["-c", "nginx.conf", "-e", "stderr"]);
    command
}

/// nginx writes only to its own folder.
fn http(dir: &Path) -> String {
    let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    fs::create_dir_all(dir.join("answers")).unwrap();
    let folders: String = folders.iter().map(|kind| format!("{kind}_temp_path {kind}_temp; ")).collect();
    format!("http {{ access_log off; {folders}")
}
