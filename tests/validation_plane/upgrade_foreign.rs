//! `POST /session/upgrade` and `POST /logout` with foreign token strings.

use std::thread;

use serde_json::{Value, json};

use super::support::{Secrets, assert_forbidden, express, logout, percent, upgrade};
use crate::common::http::Response;
use crate::common::log_lines::all_lines;
use crate::common::server::{Server, assert_invalid_token, bearer, cookie, identity, text, token_path};
use crate::on_each_store;

const SECRET: &str = "keyboard cat";
const API_STRING: &str = "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b";
const CLEARED: &str = "connect.sid=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax";

/// Runs a test with forms for a cookie of express and for a header of Django REST framework.
fn with_forms(settings: &[(&str, &str)], test: impl Fn(&Server)) {
    let secrets = Secrets::new(SECRET);
    let forms = format!(
        "shop:scheme=express-session+cookie=connect.sid+secret-file={},api:scheme=drf+header-scheme=Token",
        secrets.path()
    );
    on_each_store(&[&[("DOORWARD_FOREIGN", forms.as_str())], settings].concat(), test);
}

/// Imports a session of express, and returns the id of the token and the cookie that the browser holds.
fn import_session(server: &Server, session: &str, user: &str) -> (Value, String) {
    let id = import(server, &json!({"scheme": "express-session", "token": session, "user": user}));
    (id, format!("connect.sid={}", percent(&express(SECRET, session))))
}

fn import(server: &Server, token: &Value) -> Value {
    let response = server.call("POST", "/v1/import", Some(&json!({"tokens": [token]})));
    let result = response.json()["results"][0].clone();
    assert_eq!(result["status"], "imported", "{result}");
    result["id"].clone()
}

fn by_cookie(server: &Server, cookie: &str) -> Response {
    server.validation().get("/auth", &[("Cookie", cookie)])
}

/// Returns the token cookie that an answer sets.
fn set(answer: &Response) -> &str {
    assert_eq!(answer.status, 200, "{answer:?}");
    let lines = answer.header_values("set-cookie");
    let line = lines.into_iter().find(|line| line.starts_with("doorward=dw_"));
    line.and_then(|line| line.split(';').next()).unwrap_or_else(|| panic!("no cookie: {answer:?}"))
}

#[test]
fn a_foreign_cookie_becomes_the_token_cookie() {
    with_forms(&[], |server| {
        let (id, foreign) = import_session(server, "a-session-of-express", "alice");
        assert_eq!(identity(&by_cookie(server, &foreign))[2], text(&id));
        let answer = upgrade(server, &[("Cookie", &foreign), ("Sec-Fetch-Site", "same-origin")]);
        let shown = answer.json();
        assert_eq!((&shown["id"], &shown["user"], shown.get("token")), (&id, &json!("alice"), None));
        let native = set(&answer);
        assert_eq!(answer.header_values("set-cookie")[1..], [CLEARED]);
        assert_eq!(identity(&by_cookie(server, native))[2], text(&id));
        // Requests under way still carry the foreign string.
        assert_eq!(identity(&by_cookie(server, &foreign))[2], text(&id));
        // A browser that keeps the foreign cookie has it cleared by the next call, and gets no further string.
        let again = upgrade(server, &[("Cookie", &format!("{foreign}; {native}"))]);
        assert_eq!((again.status, again.header_values("set-cookie")), (200, vec![CLEARED]));
    });
}

#[test]
fn a_foreign_string_is_refused_after_the_grace_and_revokes_nothing() {
    with_forms(&[("DOORWARD_ROTATION_GRACE", "0")], |server| {
        let (id, foreign) = import_session(server, "a-session-of-express", "alice");
        let answer = upgrade(server, &[("Cookie", &foreign)]);
        let native = set(&answer);
        for _ in 0..3 {
            assert_invalid_token(&by_cookie(server, &foreign));
            assert_invalid_token(&upgrade(server, &[("Cookie", &foreign)]));
            assert_eq!(identity(&by_cookie(server, native))[2], text(&id));
        }
    });
}

#[test]
fn a_foreign_header_gets_the_new_string_in_the_answer() {
    with_forms(&[], |server| {
        let record = json!({"scheme": "drf", "token": API_STRING, "user": "alice"});
        let id = import(server, &record);
        let foreign = format!("Token {API_STRING}");
        assert_forbidden(
            &upgrade(server, &[("Authorization", &foreign), ("Origin", "https://evil.example")]),
            "cross-site",
        );
        let answer = upgrade(server, &[("Authorization", &foreign)]);
        let shown = answer.json();
        assert_eq!((answer.status, &shown["id"]), (200, &id));
        assert_eq!(set(&answer), cookie(&shown["token"]));
        assert_eq!(identity(&server.auth(&shown["token"]))[2], text(&id));
        let native = format!("Token {}", text(&shown["token"]));
        identity(&server.validation().get("/auth", &[("Authorization", &native)]));
    });
}

#[test]
fn a_token_without_cookies_gets_none() {
    with_forms(&[], |server| {
        import(
            server,
            &json!({"scheme": "drf", "token": API_STRING, "user": "alice", "allowed_cookie": false}),
        );
        let answer = upgrade(server, &[("Authorization", &format!("Token {API_STRING}"))]);
        assert_eq!((answer.status, answer.header("set-cookie")), (200, None));
        identity(&server.auth(&answer.json()["token"]));
    });
}

/// The answer of each tab may be the last one that the browser stores.
#[test]
fn every_tab_that_upgrades_at_once_stays_logged_in() {
    with_forms(&[], |server| {
        let (id, foreign) = import_session(server, "a-session-of-express", "alice");
        let answers: Vec<_> = thread::scope(|scope| {
            let tabs: Vec<_> =
                (0..8).map(|_| scope.spawn(|| upgrade(server, &[("Cookie", &foreign)]))).collect();
            tabs.into_iter().map(|tab| tab.join().unwrap()).collect()
        });
        for answer in &answers {
            assert_eq!(identity(&by_cookie(server, set(answer)))[2], text(&id));
        }
        identity(&by_cookie(server, &foreign));
    });
}

#[test]
fn the_upgrades_within_one_grace_are_bounded() {
    with_forms(&[("DOORWARD_ROTATION_GRACE", "1d")], |server| {
        let (_, foreign) = import_session(server, "a-session-of-express", "alice");
        let statuses: Vec<_> = (0..40).map(|_| upgrade(server, &[("Cookie", &foreign)])).collect();
        let good = statuses.iter().take_while(|answer| answer.status == 200).count();
        assert!((30..40).contains(&good), "{good}");
        for answer in &statuses[good..] {
            assert_eq!((answer.status, answer.header("set-cookie")), (409, None));
        }
        identity(&by_cookie(server, set(&statuses[good - 1])));
        identity(&by_cookie(server, &foreign));
    });
}

#[test]
fn an_upgrade_is_a_rotation_by_the_holder_in_log_and_history() {
    with_forms(&[("DOORWARD_LOG_FORMAT", "json")], |server| {
        let (id, foreign) = import_session(server, "a-session-of-express", "alice");
        let path = format!("{}/takeover", token_path(&id));
        assert_eq!(server.call("POST", &path, Some(&json!({"user": "bob"}))).status, 201);
        let answer = upgrade(server, &[("Cookie", &foreign), ("X-Request-Id", "req-7")]);
        assert_eq!(answer.json()["takeover"]["user"], "bob");
        assert_eq!(identity(&by_cookie(server, set(&answer)))[..2], ["bob", "alice"]);
        let line = all_lines(server, "audit", 3)[2].clone();
        let told = ["action", "actor", "outcome", "user", "request_id"].map(|name| text(&line[name]));
        assert_eq!((told, &line["token"]), (["token.rotate", "holder", "done", "alice", "req-7"], &id));
        let events = server.call("GET", "/v1/users/alice/events", None).json();
        let newest = &events["events"][0];
        assert_eq!(
            (&newest["type"], &newest["actor"]),
            (&json!("token.rotated"), &json!("holder")),
            "{events}"
        );
        // No line and no event has a string.
        let native = set(&answer).trim_start_matches("doorward=");
        for secret in [native, &foreign, "a-session-of-express"] {
            assert!(!server.log().contains(secret) && !events.to_string().contains(secret), "{secret}");
        }
    });
}

/// The foreign cookie is what is left of the former login.
#[test]
fn the_token_cookie_wins_over_a_foreign_one() {
    with_forms(&[], |server| {
        let (_, foreign) = import_session(server, "a-session-of-express", "alice");
        let bob = server.issue(json!({"user": "bob"}));
        let both = format!("{foreign}; {}", cookie(&bob["token"]));
        assert_eq!(identity(&by_cookie(server, &both))[0], "bob");
        assert_eq!(identity(&by_cookie(server, &format!("{foreign}; doorward=")))[0], "alice");
        let answer = logout(server, &[("Cookie", &both)]);
        let cleared = CLEARED.replace("connect.sid", "doorward");
        assert_eq!((answer.status, answer.header_values("set-cookie")), (200, vec![&*cleared, CLEARED]));
        assert_invalid_token(&by_cookie(server, &both));
        identity(&by_cookie(server, &foreign));
    });
}

#[test]
fn a_logout_by_a_foreign_cookie_clears_it() {
    with_forms(&[], |server| {
        let (id, foreign) = import_session(server, "a-session-of-express", "alice");
        assert_forbidden(
            &logout(server, &[("Cookie", &foreign), ("Sec-Fetch-Site", "cross-site")]),
            "cross-site",
        );
        let answer = logout(server, &[("Cookie", &foreign)]);
        let cleared = CLEARED.replace("connect.sid", "doorward");
        assert_eq!(
            (answer.json(), answer.header_values("set-cookie")),
            (json!({"ended": "token"}), vec![&*cleared, CLEARED])
        );
        assert_eq!(server.token(&id)["is_active"], false);
        let again = logout(server, &[("Cookie", &foreign)]);
        assert_eq!((again.status, again.header_values("set-cookie")), (401, vec![&*cleared, CLEARED]));
    });
}

/// A foreign string is looked at only where its form may stand; a native one is accepted at each place.
#[test]
fn a_form_is_accepted_only_at_its_places() {
    with_forms(&[], |server| {
        let (_, foreign) = import_session(server, "a-session-of-express", "alice");
        import(server, &json!({"scheme": "drf", "token": API_STRING, "user": "alice"}));
        let native = server.issue(json!({"user": "bob"}))["token"].clone();
        let get = |headers: &[(&str, &str)]| server.validation().get("/auth", headers);
        let session = express(SECRET, "a-session-of-express");
        for (name, value) in [
            ("Authorization", format!("Bearer {API_STRING}")),
            ("Authorization", format!("Token {session}")),
            ("Cookie", format!("doorward={session}")),
            ("Cookie", format!("connect.sid={API_STRING}")),
        ] {
            assert_invalid_token(&get(&[(name, &value)]));
        }
        for (name, value) in [
            ("Authorization", bearer(&native)),
            ("Authorization", format!("Token {}", text(&native))),
            ("Cookie", format!("connect.sid={}", text(&native))),
        ] {
            assert_eq!(identity(&get(&[(name, &value)]))[0], "bob", "{name}: {value}");
        }
        identity(&get(&[("Cookie", &foreign)]));
    });
}
