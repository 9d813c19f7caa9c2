//! Token lifetimes and renewal by accesses: the few tests that need real time to pass.

use std::thread;
use std::time::Duration;

use chrono::DateTime;
use doorward::system::Clock;
use serde_json::{Value, json};

use crate::common::process::wait_for;
use crate::common::server::{Server, assert_invalid_token, bearer, identity, text};
use crate::on_each_store;

const EXEMPT: (&str, &str) = ("X-Renewal-Exempt", "1");
const WITH_EXEMPTION: [(&str, &str); 1] = [("DOORWARD_RENEWAL_EXEMPT_HEADER", "x-renewal-exempt")];

fn ms(timestamp: &Value) -> u64 {
    assert!(text(timestamp).ends_with('Z') && text(timestamp).len() == 24, "{timestamp}");
    DateTime::parse_from_rfc3339(text(timestamp)).unwrap().timestamp_millis().try_into().unwrap()
}

fn age_seconds(issued: &Value) -> u64 {
    (ms(&issued["expires_at"]) - ms(&issued["created_at"])) / 1000
}

/// Returns whether the token passes, and asserts that the answer is well formed.
fn passes(server: &Server, token: &Value, more: &[(&str, &str)]) -> bool {
    let authorization = bearer(token);
    let headers = [&[("Authorization", authorization.as_str())], more].concat();
    let response = server.validation().get("/auth", &headers);
    if response.status == 200 {
        identity(&response);
        return true;
    }
    assert_invalid_token(&response);
    false
}

fn sleep_until(clock: &Clock, at_ms: u64) {
    thread::sleep(Duration::from_millis(at_ms.saturating_sub(clock.boottime_ms())));
}

#[test]
fn a_token_lives_while_it_is_used() {
    const IDLE_MS: u64 = 4_000;
    const LIFETIME_MS: u64 = 6_000;
    const EVERY_MS: u64 = 1_400;
    const ACCESSES: u64 = 8;
    on_each_store(&WITH_EXEMPTION, |server| {
        let clock = Clock::system();
        let (idle, lifetime) = (IDLE_MS / 1000, LIFETIME_MS / 1000);
        // Taken before the tokens are issued: a lower bound of the issue time.
        let started_ms = clock.boottime_ms();
        let used = server.issue(json!({"idle_seconds": idle}));
        let capped = server.issue(json!({"idle_seconds": idle, "lifetime_seconds": lifetime}));
        let exempt = server.issue(json!({"idle_seconds": idle}));
        let issued_ms = clock.boottime_ms();
        let mut last_access_ms = started_ms;
        for access in 1..=ACCESSES {
            sleep_until(&clock, started_ms + EVERY_MS * access);
            let asked_ms = clock.boottime_ms();
            let used_passes = passes(server, &used["token"], &[]);
            if clock.boottime_ms() >= last_access_ms + IDLE_MS {
                // The machine stood still for longer than the token lives: the rest would prove nothing.
                return;
            }
            assert!(used_passes, "access {access}\n{}", server.log());
            // When the request was sent: a lower bound of the access.
            last_access_ms = asked_ms;
            let capped_passes = passes(server, &capped["token"], &[]);
            let exempt_passes = passes(server, &exempt["token"], &[EXEMPT]);
            let answered_ms = clock.boottime_ms();
            assert!(capped_passes || answered_ms >= started_ms + LIFETIME_MS, "access {access}");
            assert!(!capped_passes || asked_ms < issued_ms + LIFETIME_MS, "access {access}");
            assert!(exempt_passes || answered_ms >= started_ms + IDLE_MS, "access {access}");
            assert!(!exempt_passes || asked_ms < issued_ms + IDLE_MS, "access {access}");
        }
        let answered_ms = clock.boottime_ms();
        sleep_until(&clock, last_access_ms + IDLE_MS / 2);
        let still_passes = passes(server, &used["token"], &[EXEMPT]);
        assert!(still_passes || clock.boottime_ms() >= last_access_ms + IDLE_MS);
        // The last access was no later than its answer.
        sleep_until(&clock, answered_ms + IDLE_MS);
        assert!(!passes(server, &used["token"], &[EXEMPT]), "never late");
        for expired in [&used, &capped, &exempt] {
            assert_eq!(
                server.call("GET", &crate::common::server::token_path(&expired["id"]), None).status,
                404
            );
        }
    });
}

#[test]
fn lifetimes_follow_the_settings_and_the_request() {
    let day = 24 * 3600;
    let ages = |server: &Server, expected: &[(Value, u64)]| {
        for (fields, seconds) in expected {
            let issued = server.issue(fields.clone());
            assert_eq!(age_seconds(&issued), *seconds, "{fields}");
            assert_eq!(issued["expiration"], fields.get("expiration").cloned().unwrap_or(json!(true)));
            assert_eq!(server.token(&issued["id"])["expires_at"], issued["expires_at"]);
        }
    };
    on_each_store(&[], |server| {
        ages(
            server,
            &[
                (json!({}), 3600),
                (json!({"expiration": false}), 14 * day),
                (json!({"idle_seconds": 1_000}), 1_000),
                (json!({"idle_seconds": 1_000, "expiration": false}), 1_000),
                (json!({"idle_seconds": 100 * day}), 30 * day),
                (json!({"lifetime_seconds": 60}), 60),
                (json!({"lifetime_seconds": 60, "idle_seconds": 20}), 20),
                (json!({"lifetime_seconds": 200 * day, "idle_seconds": 100 * day}), 100 * day),
            ],
        );
    });
    let settings = [
        ("DOORWARD_DEFAULT_TOKEN_AGE", "10m"),
        ("DOORWARD_MAX_TOKEN_AGE", "2d"),
        ("DOORWARD_ABSOLUTE_LIFETIME", "1d"),
    ];
    let expected = [(json!({}), 600), (json!({"expiration": false}), day)];
    ages(&Server::start(&settings), &expected);
}

/// Waits until the token's last access is at or after `at_ms`. Accesses are written every second.
fn assert_shows_access(server: &Server, issued: &Value, at_ms: u64) {
    wait_for("the access shows", || (ms(&server.token(&issued["id"])["last_access"]) >= at_ms).then_some(()));
}

#[test]
fn an_access_is_shown_soon() {
    on_each_store(&[], |server| {
        let clock = Clock::system();
        let issued = server.issue(json!({}));
        assert_eq!(issued["last_access"], issued["created_at"]);
        // A first access, another as soon as the first is shown, and one shortly after that.
        for pause_ms in [5, 0, 100] {
            thread::sleep(Duration::from_millis(pause_ms));
            let at_ms = clock.now_ms();
            assert!(passes(server, &issued["token"], &[]));
            assert_shows_access(server, &issued, at_ms);
            let shown = ms(&server.token(&issued["id"])["last_access"]);
            assert!(shown <= clock.now_ms(), "not in the future");
        }
    });
}

#[test]
fn an_exempt_request_does_not_count_as_an_access() {
    let exempt_and_then_another = |server: &Server| {
        let clock = Clock::system();
        let (exempt, other) = (server.issue(json!({})), server.issue(json!({"user": "bob"})));
        thread::sleep(Duration::from_millis(5));
        let at_ms = clock.now_ms();
        assert!(passes(server, &exempt["token"], &[EXEMPT]));
        let authorization = bearer(&exempt["token"]);
        let session = server.validation().get("/session", &[("Authorization", &authorization), EXEMPT]);
        assert_eq!(session.status, 200);
        assert!(passes(server, &other["token"], &[]));
        // Accesses are written in batches: once the other access is shown, this one would be too.
        assert_shows_access(server, &other, at_ms);
        (exempt, at_ms)
    };
    on_each_store(&WITH_EXEMPTION, |server| {
        let (issued, _) = exempt_and_then_another(server);
        let now = server.token(&issued["id"]);
        assert_eq!(
            (&now["last_access"], &now["expires_at"]),
            (&issued["last_access"], &issued["expires_at"])
        );
    });
    on_each_store(&[], |server| {
        // Without the setting, the header has no effect.
        let (issued, at_ms) = exempt_and_then_another(server);
        assert_shows_access(server, &issued, at_ms);
    });
}
