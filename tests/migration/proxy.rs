//! nginx with the files of config/migration, which decides by its configuration which system validates a request.

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use super::former::Login;
use crate::common::http::{Client, Response};
use crate::common::ports::Port;
use crate::common::process::{Process, wait_for};
use crate::common::proxies::nginx;
use crate::common::proxies::proxy::{Between, replaced, write};

const ASK: &str = include_str!("../../config/proxies/nginx-ask.inc");
const FORMER: &str = include_str!("../../config/migration/nginx-former.inc");
const BOTH: &str = include_str!("../../config/migration/nginx-both.inc");
const LOGOUT: &str = include_str!("../../config/migration/nginx-logout.inc");
const SHARE: &str = include_str!("../../config/migration/nginx-share.inc");

/// The steps of the move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The former system validates.
    Former,
    /// Both systems validate; a share of the clients asks Doorward first.
    Share,
    /// Both systems validate; Doorward is asked first.
    Both,
    /// Doorward validates.
    Doorward,
}

impl Stage {
    pub const ALL: [Self; 4] = [Self::Former, Self::Share, Self::Both, Self::Doorward];
}

/// A running nginx; killed on drop.
pub struct Switch {
    port: Port,
    dir: TempDir,
    doorward: String,
    former: String,
    app: String,
    process: Process,
}

impl Switch {
    /// Starts nginx at [`Stage::Former`].
    pub fn start(doorward: &str, former: &str, app: &str) -> Self {
        let (port, dir) = (Port::reserve(), tempfile::tempdir().unwrap());
        let [doorward, former, app] = [doorward, former, app].map(str::to_owned);
        write_stage(Stage::Former, port.number(), &dir, [&doorward, &former, &app]);
        let mut command = nginx::command(dir.path());
        // A master, because only a master reloads. Each request has its own connection: an old worker closes idle ones.
        command.args(["-g", "daemon off; pid nginx.pid; error_log stderr notice;"]);
        let mut process = Process::spawn("nginx", command.current_dir(dir.path()));
        process.wait_until("listening", |_| TcpStream::connect(("127.0.0.1", port.number())).is_ok());
        Self { port, dir, doorward, former, app, process }
    }

    /// Writes the configuration of a stage and reloads nginx. Returns when the requests that came before are answered.
    pub fn switch(&self, stage: Stage) {
        let exits = || self.log().matches("exited with code 0").count();
        let before = exits();
        write_stage(stage, self.port.number(), &self.dir, [&self.doorward, &self.former, &self.app]);
        self.process.signal(Signal::HUP);
        wait_for("end of the worker before", || (exits() > before).then_some(()));
    }

    /// `127.0.0.1:PORT`
    pub fn addr(&self) -> String {
        format!("127.0.0.1:{}", self.port.number())
    }

    /// Requests the application with the client's token.
    pub fn ask(&self, login: &Login) -> Response {
        self.get(&[(&login.header.0, &login.header.1)])
    }

    /// Logs a client out.
    pub fn log_out(&self, login: &Login) -> Response {
        let headers = [(login.header.0.as_str(), login.header.1.as_str()), ("Sec-Fetch-Site", "same-origin")];
        Client::new(&self.addr()).request("POST", "/accounts/logout", &headers, None)
    }

    /// Returns the output so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    fn get(&self, headers: &[(&str, &str)]) -> Response {
        Client::new(&self.addr()).get("/", headers)
    }
}

impl Drop for Switch {
    /// Lets the master end its workers, which would outlive its kill.
    fn drop(&mut self) {
        if self.process.exit_status().is_none() {
            self.process.signal(Signal::TERM);
            for _ in 0..1000 {
                if self.process.exit_status().is_some() {
                    return;
                }
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// Returns the stage whose configuration answered; `None` for an error page.
pub fn stage_of(response: &Response) -> Option<Stage> {
    let name = response.header("x-stage")?;
    Stage::ALL.into_iter().find(|stage| format!("{stage:?}") == name)
}

fn write_stage(stage: Stage, port: u16, dir: &TempDir, [doorward, former, app]: [&str; 3]) {
    let between = Between { doorward, app, grpc: "", admin: "" };
    let question = "        location = /_doorward_auth {\n            include nginx-ask.inc;\n            \
                    proxy_pass http://doorward/auth;\n        }\n";
    let ask = match stage {
        Stage::Former => "        include nginx-former.inc;\n",
        Stage::Share | Stage::Both => "        include nginx-both.inc;\n",
        Stage::Doorward => question,
    };
    let upstream = format!("upstream former {{ server {former}; keepalive 32; }}\n\n    upstream app {{");
    let http = format!(
        "http {{\n    include nginx-share.inc;\n    add_header X-Stage {stage:?} always;\n    keepalive_timeout 0;"
    );
    let texts = [
        ("worker_processes auto;", "worker_processes 1;"),
        (question, ask),
        ("upstream app {", &upstream),
        ("http {", &http),
    ];
    nginx::write_with(port, dir.path(), between, &texts);
    // The former system may be slow on a busy machine; that must not count as an outage.
    let patient = [("connect_timeout 1s", "connect_timeout 60s"), ("read_timeout 3s", "read_timeout 60s")];
    write(dir.path(), "nginx-ask.inc", &replaced(ASK, &patient));
    let share = if stage == Stage::Share { "50%" } else { "10%" };
    let share = replaced(SHARE, &[("10%", share)]);
    let everybody = [("    10% doorward;\n    *   former;\n", "    * doorward;\n")];
    let share = if stage == Stage::Both { replaced(SHARE, &everybody) } else { share };
    write(dir.path(), "nginx-share.inc", &share);
    write(dir.path(), "nginx-former.inc", FORMER);
    write(dir.path(), "nginx-both.inc", BOTH);
    write(dir.path(), "nginx-logout.inc", LOGOUT);
}
