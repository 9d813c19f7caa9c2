//! The move of docs/migration.md, step by step: no logged-in user gets a 401.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::former::{Former, Login};
use super::importing::{Imported, admin_settings, import};
use super::proxy::{Stage, Switch};
use super::sources::{
    DJANGO_AUTH_TOKEN, DJANGO_AUTH_TOKEN_PLAIN, DRF, EXPRESS_SESSION, KNOX, SANCTUM, SHA256, Source,
};
use super::traffic::{CLIENTS, Counts, NATIVE, Traffic};
use crate::common::http::Response;
use crate::common::process::wait_for;
use crate::common::program::in_repository;
use crate::common::redis::RedisServer;
use crate::common::server::{Server, bearer, command, token_path};
use crate::common::upstream::{Reply, Upstream};

const PAGE: &str = include_str!("../../docs/migration.md");
/// Clients that are logged in before the first pass.
const LOGINS: usize = 50;
/// Requests that must be answered at each stage.
const REQUESTS: usize = 150;
/// Logins in the former system after the first pass.
const LATE_LOGINS: usize = 10;

#[test]
fn django_auth_token_moves_in() {
    move_in(&DJANGO_AUTH_TOKEN);
}

#[test]
fn django_auth_token_with_plaintext_moves_in() {
    move_in(&DJANGO_AUTH_TOKEN_PLAIN);
}

#[test]
fn drf_moves_in() {
    move_in(&DRF);
}

#[test]
fn knox_moves_in() {
    move_in(&KNOX);
}

#[test]
fn sanctum_moves_in() {
    move_in(&SANCTUM);
}

#[test]
fn express_session_moves_in() {
    move_in(&EXPRESS_SESSION);
}

#[test]
fn a_table_moves_in() {
    move_in(&SHA256);
}

/// Everything that takes part.
struct Move {
    former: Former,
    doorward: Server,
    switch: Switch,
    traffic: Traffic,
    /// Whether logins go to Doorward.
    is_login_moved: AtomicBool,
    _redis: RedisServer,
    _app: Upstream,
    /// Settings and exports.
    dir: TempDir,
}

fn move_in(source: &'static Source) {
    let site = Move::prepare(source);
    let leavers = [1, 2, 3].map(|more| site.former.log_in(LOGINS + more));
    let moved = thread::scope(|scope| {
        let _end = site.traffic.until_drop();
        for _ in 0..CLIENTS {
            scope.spawn(|| site.traffic.send(&site.switch.addr()));
        }
        scope.spawn(|| site.log_in_all_the_time());
        site.run(&leavers)
    });
    site.assert_no_user_was_refused();
    site.assert_way_out(moved);
}

impl Move {
    fn prepare(source: &'static Source) -> Self {
        let (former, redis, dir) = (Former::start(source), RedisServer::start(), documented_settings(source));
        let file = dir.path().join("doorward.toml");
        let doorward = Server::on(&redis, &[("DOORWARD_CONFIG", file.to_str().unwrap())]);
        let app = Upstream::answering(|request| {
            Reply::new(200, &[], request.header("x-auth-user").unwrap_or_default())
        });
        let switch = Switch::start(doorward.listen(), former.addr(), &app.addr());
        let (traffic, is_login_moved) = (Traffic::default(), AtomicBool::new(false));
        (1..=LOGINS).for_each(|number| traffic.add(former.log_in(number)));
        Self { former, doorward, switch, traffic, is_login_moved, _redis: redis, _app: app, dir }
    }

    /// Logs users in, some requests apart, until the traffic ends.
    fn log_in_all_the_time(&self) {
        for number in LOGINS + 4.. {
            self.traffic.pace(CLIENTS);
            if self.traffic.is_over() {
                return;
            }
            self.traffic.add(match self.is_login_moved.load(Ordering::SeqCst) {
                false => self.former.log_in(number),
                true => self.log_in_natively(number),
            });
        }
    }

    fn log_in_natively(&self, number: usize) -> Login {
        let user = format!("{NATIVE}{number}");
        let token = self.doorward.issue(json!({"user": user}));
        Login { header: ("Authorization".into(), bearer(&token["token"])), user }
    }

    /// Takes the steps of the document, and returns how many tokens the second pass found or imported.
    fn run(&self, [early, leaver, quitter]: &[Login; 3]) -> usize {
        self.pass(Stage::Former);
        let first = self.import("first.ndjson");
        // If a call has to be repeated, it finds what it imported before.
        assert!(first.records() >= LOGINS + 3, "{first:?}");
        self.log_out(early);
        self.switch_to(Stage::Share);
        self.switch_to(Stage::Both);
        self.log_out(leaver);
        self.former.log_out(quitter);
        self.traffic.wait_for_logins(LATE_LOGINS);
        self.move_login();
        let second = self.import("second.ndjson");
        // All but the three clients that logged out.
        let known = first.records() - 3;
        assert!(second.exists >= known && second.records() >= known + LATE_LOGINS, "{second:?}");
        if self.former.source.has_idle_times {
            assert_eq!(self.revoke_missing(), "0 missing, 0 revoked\n");
        } else {
            assert_eq!(self.revoke_missing(), "3 missing, 3 revoked\n");
            assert_eq!(self.at_doorward(quitter).status, 401);
        }
        self.wait_until_known();
        self.switch_to(Stage::Doorward);
        self.former.stop();
        self.pass(Stage::Doorward);
        for gone in [early, leaver] {
            assert_eq!(self.switch.ask(gone).status, 401);
        }
        second.records()
    }

    fn switch_to(&self, stage: Stage) {
        self.switch.switch(stage);
        self.pass(stage);
    }

    /// Waits for traffic at a stage; forged tokens are refused there.
    fn pass(&self, stage: Stage) {
        self.traffic.wait_for_requests(stage, REQUESTS);
        for forger in self.former.source.forgers() {
            let answer = self.switch.ask(&forger);
            assert_eq!(answer.status, 401, "{stage:?}: {forger:?}: {answer:?}");
        }
    }

    /// Moves the logins to Doorward. When the first native client is there, no login in the former system is under way.
    fn move_login(&self) {
        self.is_login_moved.store(true, Ordering::SeqCst);
        self.traffic.wait_for_logins(2);
    }

    /// Waits until Doorward accepts every client: it remembers for a lease that a string was unknown.
    fn wait_until_known(&self) {
        for login in self.traffic.foreign_logins() {
            wait_for("known string", || (self.at_doorward(&login).status == 200).then_some(()));
        }
    }

    /// Logs a client out in the former system; nginx sends a copy to Doorward.
    fn log_out(&self, leaver: &Login) {
        let answer = self.switch.log_out(leaver);
        assert_eq!(answer.status, 200, "{answer:?}\n{}", self.switch.log());
        wait_for("logout in Doorward", || (self.at_doorward(leaver).status == 401).then_some(()));
        assert_eq!(self.switch.ask(leaver).status, 401);
    }

    /// Returns Doorward's own answer to a client.
    fn at_doorward(&self, login: &Login) -> Response {
        self.doorward.validation().get("/auth", &[(&login.header.0, &login.header.1)])
    }

    /// Exports from the former system into a file and imports it into Doorward.
    fn import(&self, file: &str) -> Imported {
        let file = self.dir.path().join(file);
        self.former.export(&file);
        import(&self.doorward, self.former.source.scheme, &file)
    }

    /// Revokes in Doorward what the former system revoked between both passes.
    fn revoke_missing(&self) -> String {
        let [first, second] = ["first.ndjson", "second.ndjson"].map(|name| self.dir.path().join(name));
        let output = admin_settings(command("python3".into(), &[]), &self.doorward)
            .arg(in_repository("config/migration/revoke-missing.py"))
            .args([first, second])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn assert_no_user_was_refused(&self) {
        let (counts, faults) = self.traffic.result();
        for (stage, counts) in &counts {
            println!("{} {stage:?}: {counts:?}", self.former.source.scheme);
        }
        assert!(faults.is_empty(), "{faults:#?}\n{}\n{}", self.switch.log(), self.doorward.log());
        for stage in Stage::ALL {
            let requests = counts[&stage].requests;
            assert!(requests >= REQUESTS);
            assert_eq!(counts[&stage], Counts { requests, ..Counts::default() }, "{stage:?}");
        }
    }

    /// Each imported token names its origin and can become a native one.
    fn assert_way_out(&self, moved: usize) {
        let former = self.traffic.foreign_logins();
        assert_eq!(former.len(), moved);
        for login in former.iter().take(2 * self.former.source.places.len()) {
            let answer = self.at_doorward(login);
            let id = json!(answer.header("x-auth-token-id"));
            let token = self.doorward.token(&id);
            assert_eq!(token["origin"], self.former.source.scheme);
            let is_related = self.former.source.scheme.starts_with("django-auth-token");
            assert_eq!(
                token["related_objects"].as_array().unwrap().len(),
                usize::from(is_related),
                "{token}"
            );
            let native = self.native_of(login, &id);
            let answer = self.doorward.validation().get("/auth", &[(&native.0, &native.1)]);
            assert_eq!((answer.status, answer.header("x-auth-token-id")), (200, id.as_str()));
        }
    }

    /// Returns the header with a native token string of the same token: by an upgrade for a browser's cookie, else by a
    /// rotation.
    fn native_of(&self, login: &Login, id: &Value) -> (String, String) {
        if login.header.0 == "Cookie" {
            let headers = [("Cookie", login.header.1.as_str()), ("Sec-Fetch-Site", "same-origin")];
            let answer = self.doorward.validation().request("POST", "/session/upgrade", &headers, None);
            assert_eq!(answer.status, 200, "{answer:?}");
            let set = answer.header_values("set-cookie");
            let native = set.iter().find(|cookie| cookie.starts_with("doorward=dw_"));
            let native = native.unwrap_or_else(|| panic!("{set:?}"));
            return ("Cookie".into(), native.split(';').next().unwrap().to_owned());
        }
        let rotated = self.doorward.call("POST", &format!("{}/rotate", token_path(id)), None);
        assert_eq!(rotated.status, 200, "{}", rotated.text());
        ("Authorization".into(), bearer(&rotated.json()["token"]))
    }
}

/// Writes the settings that the document shows for a source; its secret is in a file beside them.
fn documented_settings(source: &Source) -> TempDir {
    let scheme = format!("scheme = \"{}\"\n", source.scheme);
    let mut blocks = PAGE.split("\n```toml\n").skip(1).map(|rest| rest.split("\n```").next().unwrap());
    let block = blocks.find(|block| block.contains(&scheme)).unwrap_or_else(|| panic!("no {scheme}"));
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    fs::write(&secret, source.secret.unwrap_or_default()).unwrap();
    let settings = block.replace("/etc/doorward/former-secret", secret.to_str().unwrap());
    assert_eq!(settings != block, source.secret.is_some(), "the secret-file of {}", source.scheme);
    fs::write(dir.path().join("doorward.toml"), settings).unwrap();
    dir
}
