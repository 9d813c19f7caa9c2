//! A running former system.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use super::sources::{Program, Source};
use crate::common::http::{Client, Response};
use crate::common::process::{Process, wait_within};
use crate::common::program::in_repository;
use crate::common::redis::RedisServer;

/// Django makes its tables first.
const START_MS: u64 = 60_000;

/// A client that is logged in.
#[derive(Debug)]
pub struct Login {
    /// The header with its token, as it always sends it.
    pub header: (String, String),
    /// The user, as the former system names it.
    pub user: String,
}

/// The site with its database; killed on drop.
pub struct Former {
    pub source: &'static Source,
    dir: TempDir,
    redis: Option<RedisServer>,
    process: Process,
    addr: String,
}

impl Former {
    pub fn start(source: &'static Source) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let redis = matches!(source.program, Program::Express).then(RedisServer::start);
        let site = match source.program {
            Program::Django(_) => "django_site.py",
            Program::Table => "table_site.py",
            Program::Express => "express_site.mjs",
        };
        let mut command = command(source, dir.path(), redis.as_ref());
        let process = Process::spawn(source.scheme, command.arg(in_repository("tests/migration").join(site)));
        wait_within(START_MS, "start of the site", || process.stdout().contains('\n').then_some(()));
        let addr = format!("127.0.0.1:{}", process.stdout().trim());
        Self { source, dir, redis, process, addr }
    }

    pub fn addr(&self) -> &str {
        &self.addr
    }

    /// Stops it for good.
    pub fn stop(&self) {
        self.process.signal(Signal::KILL);
    }

    /// Logs a user in; the client keeps its token where `number` says, in turn.
    pub fn log_in(&self, number: usize) -> Login {
        let response = self.post(&format!("/login?user={number}"));
        assert_eq!(response.status, 200, "{}\n{}", response.text(), self.process.log());
        let place = self.source.places[number % self.source.places.len()];
        let body = response.json();
        let header = match body["token"].as_str() {
            Some(token) => place.header(token),
            None => ("Cookie".to_owned(), cookie(&response)),
        };
        let answer = Client::new(&self.addr).get("/auth", &[(&header.0, &header.1)]);
        assert_eq!(answer.status, 200, "{answer:?}\n{}", self.process.log());
        Login { header, user: answer.header("x-auth-user").unwrap().to_owned() }
    }

    /// Logs a client out here, without a word to Doorward.
    pub fn log_out(&self, login: &Login) {
        let header = [(login.header.0.as_str(), login.header.1.as_str())];
        let answer = Client::new(&self.addr).request("POST", "/accounts/logout", &header, None);
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// Calls an address of the site without credentials.
    pub fn post(&self, path: &str) -> Response {
        Client::new(&self.addr).request("POST", path, &[], None)
    }

    /// Exports all tokens with the recipe into a file.
    pub fn export(&self, file: &Path) {
        self.export_with(self.source.export, file);
    }

    /// Exports with another recipe.
    pub fn export_with(&self, recipe: &str, file: &Path) {
        let name = recipe;
        let recipe = in_repository("config/migration").join(name);
        let mut command = command(self.source, self.dir.path(), self.redis.as_ref());
        match self.source.program {
            Program::Django(_) => command.arg(recipe),
            Program::Table => command.arg(in_repository("tests/migration/run_sql.py")).arg(recipe),
            Program::Express => {
                // Node looks for packages beside the program.
                let copy = self.dir.path().join(name);
                std::fs::copy(recipe, &copy).unwrap();
                let packages = self.dir.path().join("node_modules");
                if !packages.exists() {
                    std::os::unix::fs::symlink(in_repository("tests/migration/node_modules"), packages)
                        .unwrap();
                }
                command.arg(copy)
            }
        };
        let output = command.stdout(File::create(file).unwrap()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {stderr}");
    }
}

/// Returns the command of the site's own interpreter, in the site's environment.
fn command(source: &Source, dir: &Path, redis: Option<&RedisServer>) -> Command {
    let mut command = Command::new(match source.program {
        Program::Django(environment) => in_repository(environment).join("bin/python"),
        Program::Table => "python3".into(),
        Program::Express => "node".into(),
    });
    command
        .env("PACKAGE", source.scheme)
        .env("DATABASE", dir.join("site.sqlite"))
        .env("PYTHONPATH", in_repository("tests/migration"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("DJANGO_SETTINGS_MODULE", "django_settings")
        .env("REDIS_URL", redis.map(RedisServer::admin_url).unwrap_or_default());
    command
}

/// `NAME=VALUE` of the cookie that an answer sets.
fn cookie(response: &Response) -> String {
    response.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}
