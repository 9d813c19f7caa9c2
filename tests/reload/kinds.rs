//! Each kind of setting that a reload takes over, and the rules of a reload itself.

use rustix::process::Signal;
use serde_json::json;

use super::support::{Files, api_key, issue_with, last_reload, names, reload_well, sample};
use crate::common::foreign::import;
use crate::common::process::wait_for;
use crate::common::server::{
    ADMIN_KEY, Server, assert_invalid_token, assert_no_token, bearer, identity, run, wait_ready,
};
use crate::validation_plane::support::express;

const ONE: &str = "one-key-of-the-reload-tests-0123456789";
const TWO: &str = "two-key-of-the-reload-tests-0123456789";

#[test]
fn a_removed_api_key_is_refused_at_its_next_request() {
    let keys = |text: &str| format!("api-keys = [{:?}]\n", api_key("login", "tokens", text));
    let files = Files::new(&keys(ONE));
    let mut server = files.start(&[]);
    let mut kept = server.admin();
    let mut status_of = |key: &str| {
        let authorization = format!("Bearer {key}");
        kept.get("/v1/users/alice/tokens", &[("Authorization", &authorization)]).status
    };
    assert_eq!((status_of(ONE), status_of(TWO)), (200, 401));
    files.write("doorward.toml", &keys(TWO));
    reload_well(&mut server);
    assert_eq!((status_of(ONE), status_of(TWO)), (401, 200), "on the same connection");
    assert_eq!(issue_with(&server, ONE).json()["detail"], "the API key is unknown");
    server.wait_for_log(r#"changed="api-keys""#);
}

#[test]
fn a_request_under_way_finishes_with_the_key_that_it_began_with() {
    let files = Files::new(&format!("api-keys = [{:?}]\n", api_key("login", "tokens", ONE)));
    let mut server = files.start(&[]);
    let mut client = server.admin();
    let body = json!({"user": "alice", "ip": "203.0.113.7"}).to_string();
    let head = format!(
        "POST /v1/tokens HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ONE}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    client.write(&head).unwrap();
    // The body is asked for once the key has been accepted.
    assert!(client.read_some().unwrap().starts_with(b"HTTP/1.1 100"));
    files.write("doorward.toml", &format!("api-keys = [{:?}]\n", api_key("login", "tokens", TWO)));
    reload_well(&mut server);
    assert_eq!(client.send(&body).status, 201);
    client.write(&head).unwrap();
    assert_eq!(client.read_response(false).unwrap().status, 401, "the next request");
}

#[test]
fn the_admin_key_follows_its_file() {
    let files = Files::new("");
    files.write("key", ONE);
    let path = files.path("key");
    let settings = [("DOORWARD_ADMIN_KEY", ""), ("DOORWARD_ADMIN_KEY_FILE", path.to_str().unwrap())];
    let mut server = Server::start(&settings);
    assert_eq!(issue_with(&server, ONE).status, 201);
    files.write("key", TWO);
    reload_well(&mut server);
    assert_eq!((issue_with(&server, ONE).status, issue_with(&server, TWO).status), (401, 201));
}

#[test]
fn a_removed_token_key_refuses_even_cached_tokens() {
    let keys = |keys: &[&str]| format!("token-keys = {keys:?}\n");
    let files = Files::new(&keys(&[ONE]));
    let mut server = files.start(&[]);
    let old = server.issue(json!({}))["token"].clone();
    let authorization = bearer(&old);
    let mut kept: Vec<_> = (0..8).map(|_| server.validation()).collect();
    let mut ask = || {
        let answers = kept.iter_mut().map(|client| client.get("/auth", &[("Authorization", &authorization)]));
        answers.collect::<Vec<_>>().into_iter()
    };
    // Twice: the second time by the mark beside the cached record.
    for _ in 0..2 {
        ask().for_each(|answer| assert_eq!(identity(&answer)[0], "alice"));
    }
    files.write("doorward.toml", &keys(&[TWO, ONE]));
    reload_well(&mut server);
    let new = server.issue(json!({}))["token"].clone();
    ask().for_each(|answer| assert_eq!(identity(&answer)[0], "alice"));

    files.write("doorward.toml", &keys(&[TWO]));
    reload_well(&mut server);
    ask().for_each(|answer| assert_invalid_token(&answer));
    identity(&server.auth(&new));

    // Without configured keys, a key of the store takes their place.
    files.write("doorward.toml", "lease = \"2s\"\n");
    reload_well(&mut server);
    assert_invalid_token(&server.auth(&new));
    let shared = server.issue(json!({}))["token"].clone();
    identity(&server.auth(&shared));
    // That key verifies beside new ones, and a key that comes back verifies again.
    files.write("doorward.toml", &keys(&[ONE]));
    reload_well(&mut server);
    identity(&server.auth(&shared));
    ask().for_each(|answer| assert_eq!(identity(&answer)[0], "alice"));
    assert_invalid_token(&server.auth(&new));
    assert!(!server.log().contains(ONE) && !server.log().contains(TWO));
}

#[test]
fn route_checks_change_for_open_connections() {
    let files = Files::new("[checks.staff]\nbackend = \"ldap\"\n");
    let mut server = files.start(&[]);
    let token = bearer(&server.issue(json!({"backend": "ldap"}))["token"]);
    let mut kept: Vec<_> = (0..8).map(|_| server.validation()).collect();
    let mut statuses = |name: &str| {
        let path = format!("/check/{name}");
        let statuses = kept.iter_mut().map(|client| client.get(&path, &[("Authorization", &token)]).status);
        let statuses: Vec<_> = statuses.collect();
        assert!(statuses.iter().all(|status| *status == statuses[0]), "{statuses:?}");
        statuses[0]
    };
    assert_eq!((statuses("staff"), statuses("shop")), (200, 404));
    files.write("doorward.toml", "[checks.staff]\nbackend = \"saml\"\n\n[checks.shop]\n");
    reload_well(&mut server);
    assert_eq!((statuses("staff"), statuses("shop")), (403, 200));
    files.write("doorward.toml", "[checks.shop]\n");
    reload_well(&mut server);
    assert_eq!((statuses("staff"), statuses("shop")), (404, 200));
}

#[test]
fn the_log_level_changes() {
    let files = Files::new("log-level = \"error\"\n");
    let mut server = files.start(&[]);
    // Not at this level.
    let loaded_at = last_reload(&server)["at"].clone();
    server.process().signal(Signal::HUP);
    wait_for("the reload", || (last_reload(&server)["at"] != loaded_at).then_some(()));
    assert!(!server.log().contains("settings reloaded"), "{}", server.log());
    files.write("doorward.toml", "log-level = \"info\"\n");
    reload_well(&mut server);
    server.wait_for_log(r#"changed="log-level""#);
}

#[test]
fn a_setting_that_needs_a_restart_is_named_and_the_rest_is_taken_over() {
    let files = Files::new("lease = \"2s\"\n");
    let mut server = files.start(&[]);
    assert_eq!(last_reload(&server)["needs_restart"], json!([]));
    let checks = "[checks.shop]\n";
    files.write("doorward.toml", &format!("lease = \"3s\"\nmax-connections = 7\n{checks}"));
    reload_well(&mut server);
    assert_eq!(server.validation().get("/check/shop", &[]).status, 401);
    let last = last_reload(&server);
    assert_eq!(
        (&last["successful"], names(&last["needs_restart"])),
        (&json!(true), vec!["max-connections", "lease"])
    );
    server.wait_for_log(r#"setting not reloaded: it needs a restart setting="lease""#);
    assert_eq!(sample(&server, "doorward_config_restart_needed"), Some(2.0));
    // Undone, it needs none.
    files.write("doorward.toml", &format!("lease = \"2s\"\n{checks}"));
    reload_well(&mut server);
    assert_eq!(last_reload(&server)["needs_restart"], json!([]));
}

#[test]
fn a_reload_without_a_change_is_harmless() {
    let files = Files::new("# no settings\n");
    let mut server = files.start(&[]);
    let token = bearer(&server.issue(json!({}))["token"]);
    let mut kept = server.validation();
    for _ in 0..3 {
        identity(&kept.get("/auth", &[("Authorization", &token)]));
        reload_well(&mut server);
    }
    identity(&kept.get("/auth", &[("Authorization", &token)]));
    assert_eq!(kept.connections(), 1);
    server.wait_for_log(r#"settings reloaded changed="""#);
}

#[test]
fn of_several_signals_the_last_content_wins() {
    let check = |number: usize| format!("[checks.c{number}]\n");
    let files = Files::new(&check(0));
    let mut server = files.start(&[]);
    let is_there = |server: &Server, number: usize| {
        server.validation().get(&format!("/check/c{number}"), &[]).status != 404
    };
    for number in (2..60).step_by(2) {
        for number in [number - 1, number] {
            files.write("doorward.toml", &check(number));
            server.process().signal(Signal::HUP);
        }
        wait_for("the last content", || is_there(&server, number).then_some(()));
        assert!(!is_there(&server, number - 1));
    }
}

#[test]
fn a_signal_during_the_start_or_the_stop_is_harmless() {
    let settings = [
        ("DOORWARD_LISTEN", "127.0.0.1:0"),
        ("DOORWARD_ADMIN_LISTEN", "127.0.0.1:0"),
        ("DOORWARD_ADMIN_KEY", ADMIN_KEY),
        ("DOORWARD_REDIS_URL", "redis://127.0.0.1:1"),
        ("DOORWARD_SHUTDOWN_DELAY", "100ms"),
    ];
    let mut process = run(&[], &settings);
    process.wait_until("starting", |process| process.stderr().contains("redis unreachable"));
    process.signal(Signal::HUP);
    wait_ready(&mut process);
    process.wait_until("reloaded", |process| process.stderr().contains("settings reloaded"));
    process.signal(Signal::TERM);
    process.wait_until("stopping", |process| process.stderr().contains("stopping"));
    process.signal(Signal::HUP);
    assert!(process.wait().success(), "{}", process.log());
}

#[test]
fn a_feed_ends_when_its_api_key_is_removed() {
    let keys = |name: &str| format!("api-keys = [{:?}]\n", api_key(name, "events", ONE));
    let files = Files::new(&keys("reader"));
    let mut server = files.start(&[]);
    let mut feed = server.admin();
    feed.write(format!("GET /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ONE}\r\n\r\n")).unwrap();
    let mut read_until = |end: &str| {
        let mut received = String::new();
        while !received.contains(end) {
            received += &String::from_utf8(feed.read_some().unwrap()).unwrap();
        }
        received
    };
    read_until("retry:");
    server.issue(json!({}));
    read_until("alice");
    files.write("doorward.toml", &keys("another-name"));
    reload_well(&mut server);
    server.issue(json!({"user": "bob"}));
    // The last chunk.
    assert!(!read_until("0\r\n\r\n").contains("bob"));
}

#[test]
fn forms_of_foreign_strings_and_their_secrets_change_at_once() {
    const SESSION: &str = "0GbTPYAY8hpEK6qXq8TQQ7qSDmmyLdWj";
    let files = Files::new("");
    let form = |cookie: &str| {
        let path = files.path("secrets");
        format!("[foreign.shop]\nscheme = 'express-session'\ncookie = '{cookie}'\nsecret-file = {path:?}\n")
    };
    files.write("secrets", "first");
    files.write("doorward.toml", &form("sid"));
    let mut server = files.start(&[]);
    import(&server, "express-session", SESSION, "alice");
    let ask = |server: &Server, name: &str, secret: &str| {
        let cookie = format!("{name}={}", express(secret, SESSION));
        server.validation().get("/auth", &[("Cookie", &cookie)])
    };
    assert_eq!(identity(&ask(&server, "sid", "first"))[0], "alice");
    files.write("secrets", "second\nfirst\n");
    reload_well(&mut server);
    server.wait_for_log(r#"changed="foreign""#);
    for secret in ["first", "second"] {
        assert_eq!(identity(&ask(&server, "sid", secret))[0], "alice");
    }
    files.write("secrets", "second");
    reload_well(&mut server);
    assert_invalid_token(&ask(&server, "sid", "first"));
    files.write("doorward.toml", &form("other"));
    reload_well(&mut server);
    assert_no_token(&ask(&server, "sid", "second"));
    assert_eq!(identity(&ask(&server, "other", "second"))[0], "alice");
    files.write("doorward.toml", "foreign = []");
    reload_well(&mut server);
    assert_no_token(&ask(&server, "other", "second"));
}

/// A form that comes first in the list moves the places of the others.
#[test]
fn forms_of_foreign_strings_have_their_new_places_at_the_next_request() {
    let string = "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b";
    let forms = |first: &str, scheme: &str| {
        format!("{first}[foreign.old]\nscheme = 'drf'\nheader-scheme = '{scheme}'\n")
    };
    let files = Files::new("");
    let mut server = files.start(&[]);
    let record = json!({"tokens": [{"scheme": "drf", "token": string, "user": "alice"}]});
    assert_eq!(server.call("POST", "/v1/import", Some(&record)).status, 200);
    let mut kept = server.validation();
    let mut status_of =
        |scheme: &str| kept.get("/auth", &[("Authorization", &format!("{scheme} {string}"))]).status;
    assert_eq!((status_of("Token"), status_of("Key")), (401, 401));
    for (first, scheme, expected) in [
        ("", "Token", (200, 401)),
        ("[foreign.first]\nscheme = 'knox'\ncookie = 'k'\n", "Token", (200, 401)),
        ("", "Key", (401, 200)),
    ] {
        files.write("doorward.toml", &forms(first, scheme));
        reload_well(&mut server);
        assert_eq!((status_of("Token"), status_of("Key")), expected, "{first} {scheme}");
    }
    files.write("doorward.toml", "# No form is left.\n");
    reload_well(&mut server);
    assert_eq!((status_of("Token"), status_of("Key")), (401, 401));
}
