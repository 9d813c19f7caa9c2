//! A reload with a mistake is refused as a whole and told: in the log, in the status and in the metrics.

use std::fs;

use doorward::system::Clock;
use serde_json::{Value, json};

use super::support::{Files, api_key, issue_with, last_reload, names, reload, reload_well, sample};
use crate::common::server::{Server, assert_invalid_token, bearer, identity, token_path};

const ONE: &str = "one-key-of-the-reload-tests-0123456789";
const TWO: &str = "two-key-of-the-reload-tests-0123456789";

/// A server with an API key, a token key and a route check from files.
struct Site {
    files: Files,
    server: Server,
    token: Value,
}

/// The settings with one of two API keys, and a check of the same name.
fn toml(files: &Files, name: &str, key: &str) -> String {
    let (token_keys, log_level) = (files.path("token-keys"), if name == "one" { "info" } else { "warn" });
    format!(
        "api-keys = [{:?}]\ntoken-keys-file = {token_keys:?}\nlog-level = {log_level:?}\n\n[checks.{name}]\nslug = {name:?}\n",
        api_key(name, "tokens", key)
    )
}

impl Site {
    fn start() -> Self {
        let files = Files::new("");
        files.write("token-keys", ONE);
        files.write("doorward.toml", &toml(&files, "one", ONE));
        let server = files.start(&[]);
        let token = server.issue(json!({"auth_slug": "one"}));
        Self { files, server, token }
    }

    /// Asserts that all settings come from `name`, and none from `other`.
    fn assert_all_of(&self, name: &str, key: &str, other: &str, other_key: &str) {
        let server = &self.server;
        assert_eq!((issue_with(server, key).status, issue_with(server, other_key).status), (201, 401));
        let check = |name: &str| server.validation().get(&format!("/check/{name}"), &[]).status;
        assert_eq!((check(name), check(other)), (401, 404));
    }

    fn assert_first_settings(&self) {
        self.assert_all_of("one", ONE, "two", TWO);
        let token = bearer(&self.token["token"]);
        identity(&self.server.validation().get("/check/one", &[("Authorization", &token)]));
    }
}

/// Changes every setting, one file of them to a bad one, and asserts that none is taken over. Then mends that file.
#[track_caller]
fn assert_refused(file: &str, bad: impl FnOnce(&str) -> Option<String>, mistakes: &[&str], told: &[&str]) {
    let Site { files, server, token } = Site::start();
    let mut site = Site { files, server, token };
    let loaded_at = last_reload(&site.server)["at"].clone();
    let good = [("token-keys", TWO.to_owned()), ("doorward.toml", toml(&site.files, "two", TWO))];
    for (name, text) in &good {
        site.files.write(name, text);
    }
    let text = &good.iter().find(|(name, _)| *name == file).unwrap().1;
    match bad(text) {
        Some(bad) => site.files.write(file, &bad),
        None => fs::remove_file(site.files.path(file)).unwrap(),
    }

    assert!(!reload(&mut site.server), "{}", site.server.log());
    site.assert_first_settings();
    let log = site.server.log();
    for text in told {
        assert!(log.contains(text), "{text}: {log}");
    }
    assert!(!log.contains(ONE) && !log.contains(TWO), "{log}");
    let last = last_reload(&site.server);
    assert_eq!((&last["successful"], names(&last["mistakes"])), (&json!(false), mistakes.to_vec()), "{log}");
    assert_ne!(last["at"], loaded_at);
    let metric = |name: &str| sample(&site.server, name);
    assert_eq!(metric("doorward_config_last_reload_successful"), Some(0.0));
    assert_eq!(metric("doorward_config_reloads_total{result=\"refused\"}"), Some(1.0));
    let succeeded_at = metric("doorward_config_last_reload_success_timestamp_seconds").unwrap();
    assert!((succeeded_at * 1000.0) as u64 <= Clock::system().wall_ms());

    for (name, text) in &good {
        site.files.write(name, text);
    }
    // At the level `warn` the log does not tell of a success.
    site.files.write("doorward.toml", &good[1].1.replace("\"warn\"", "\"info\""));
    reload_well(&mut site.server);
    site.assert_all_of("two", TWO, "one", ONE);
    assert_invalid_token(&site.server.auth(&site.token["token"]));
    assert_eq!(site.server.call("GET", &token_path(&site.token["id"]), None).status, 200);
    assert_eq!(last_reload(&site.server)["mistakes"], json!([]));
    let metric = |name: &str| sample(&site.server, name);
    assert_eq!(metric("doorward_config_last_reload_successful"), Some(1.0));
    assert_eq!(metric("doorward_config_reloads_total{result=\"succeeded\"}"), Some(1.0));
    assert!(metric("doorward_config_last_reload_success_timestamp_seconds").unwrap() > succeeded_at);
}

/// The first part of a text, as when its file is half written.
fn half(text: &str) -> Option<String> {
    Some(text[..text.len() / 2].to_owned())
}

#[test]
fn a_half_written_toml_file() {
    assert_refused("doorward.toml", half, &["config"], &["setting refused setting=\"config\""]);
}

#[test]
fn an_empty_toml_file() {
    assert_refused("doorward.toml", |_| Some(String::new()), &["config"], &["it is empty"]);
}

#[test]
fn a_missing_toml_file() {
    assert_refused("doorward.toml", |_| None, &["config"], &["cannot read the file"]);
}

#[test]
fn an_empty_key_file() {
    assert_refused(
        "token-keys",
        |_| Some("\n".into()),
        &["token-keys"],
        &["cannot read the file it names: it is empty"],
    );
}

#[test]
fn a_half_written_key_file() {
    assert_refused("token-keys", half, &["token-keys"], &["32 to 1024 characters"]);
}

#[test]
fn a_missing_key_file() {
    assert_refused("token-keys", |_| None, &["token-keys"], &["cannot read the file it names"]);
}

#[test]
fn a_setting_that_needs_a_restart() {
    let bad = |text: &str| Some(format!("lease = \"soon\"\n{text}"));
    assert_refused("doorward.toml", bad, &["lease"], &["setting=\"lease\" origin=\"lease in"]);
}

#[test]
fn every_mistake_is_reported() {
    let bad = |text: &str| {
        Some(
            text.replace("\"warn\"", "\"loud\"")
                .replace(":tokens:", ":tockens:")
                .replace("slug =", "slugs ="),
        )
    };
    let mistakes = ["api-keys", "checks", "log-level"];
    let told =
        ["its scopes are not", "setting=\"checks\"", "setting=\"log-level\"", "not reloaded", "mistakes=3"];
    assert_refused("doorward.toml", bad, &mistakes, &told);
}

#[test]
fn a_server_is_never_left_without_an_api_key() {
    let files = Files::new("");
    files.write("key", ONE);
    files.write("doorward.toml", &format!("admin-key-file = {:?}\n", files.path("key")));
    let mut server = files.start(&[("DOORWARD_ADMIN_KEY", "")]);
    files.write("doorward.toml", "# no key\n");
    assert!(!reload(&mut server), "{}", server.log());
    server.wait_for_log("setting=\"admin-key\"");
    assert_eq!(issue_with(&server, ONE).status, 201);
}
