//! `doorward user`.

use serde_json::{Value, json};

use super::support::{failure, json, text};
use crate::common::server::{Server, key, text as string};

fn ids(listing: &Value) -> Vec<&str> {
    listing.as_array().unwrap().iter().map(|entry| string(&entry["id"])).collect()
}

#[test]
fn listings_are_tables_and_json() {
    let server = Server::start(&[]);
    let token = server.issue(json!({"user_agent": "Mozilla\u{1b}[2J 5"}));
    let (token, other) = (string(&token["id"]).to_owned(), server.issue(json!({"auth_slug": "web"})));
    server.revoke(&other["id"]);
    let table = text(&server, &["user", "tokens", "alice"]);
    let lines: Vec<_> = table.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("ID                STATE   CREATED"), "{table}");
    assert!(lines[1].starts_with(&format!("{token}  active  ")) && !table.contains('\u{1b}'), "{table}");
    assert_eq!(ids(&json(&server, &["user", "tokens", "alice"])), [&*token]);
    let all = text(&server, &["user", "tokens", "alice", "--include-revoked"]);
    assert!(all.lines().count() == 3 && all.contains("revoked:ended"), "{all}");

    text(&server, &["takeover", "start", &token, "--user=bob", "--reason=why"]);
    let takeovers = text(&server, &["user", "takeovers", "bob"]);
    assert!(takeovers.contains("alice") && takeovers.contains("why"), "{takeovers}");
    let device = json!({"uuid": "phone", "name": "Alice's phone"});
    assert_eq!(server.call("POST", "/v1/users/alice/devices", Some(&device)).status, 201);
    let devices = text(&server, &["user", "devices", "alice"]);
    assert!(devices.lines().count() == 2 && devices.contains("Alice's phone"), "{devices}");
    // Standard output is the login token alone, for scripts.
    let login_token = text(&server, &["device", "rotate", "alice", "phone"]);
    let login = json!({"uuid": "phone", "login_token": login_token.trim_end(), "ip": "::1"});
    assert_eq!(server.call("POST", "/v1/devices/login", Some(&login)).status, 201);
    let events = text(&server, &["user", "events", "alice"]);
    assert!(events.lines().nth(1).unwrap().contains("device.logged_in"), "{events}");
    let newest = json(&server, &["user", "events", "alice", "--limit=2"]);
    assert_eq!(newest.as_array().map(Vec::len), Some(2), "{newest}");
    assert_eq!(json(&server, &["user", "tokens", "nobody"]), json!([]));
}

#[test]
fn a_listing_has_all_pages_up_to_the_limit() {
    const TOKENS: usize = 1003;
    let server = Server::start(&[("DOORWARD_MAX_TOKENS_PER_USER", "2000")]);
    let mut admin = server.admin();
    let body = json!({"user": "alice", "ip": "203.0.113.7"});
    for _ in 0..TOKENS {
        assert_eq!(admin.request("POST", "/v1/tokens", &[key()], Some(&body)).status, 201);
    }
    let all = json(&server, &["user", "tokens", "alice"]);
    let mut unique = ids(&all);
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), TOKENS);
    let listed = json(&server, &["user", "tokens", "alice", "--limit=1001"]);
    assert_eq!(ids(&listed), ids(&all)[..1001]);
    assert_eq!(ids(&json(&server, &["user", "tokens", "alice", "--limit=1"])), ids(&all)[..1]);
}

#[test]
fn what_affects_all_of_a_user_needs_a_yes() {
    let server = Server::start(&[]);
    let kept = server.issue(json!({}));
    server.issue(json!({}));
    for command in ["revoke", "erase"] {
        let told = failure(&server, &["user", command, "alice"], 78);
        assert_eq!(told, "--yes (command line): is needed where no terminal can be asked\n");
    }
    assert_eq!(server.list("").0.len(), 2, "nothing happened");
    let id = string(&kept["id"]);
    let revoked = json(&server, &["user", "revoke", "alice", "--yes", "--except", id]);
    assert_eq!(revoked, json!({"revoked": 1}));
    assert_eq!(ids(&json(&server, &["user", "tokens", "alice"])), [id]);
    assert_eq!(text(&server, &["user", "revoke", "alice", "--yes"]), "revoked tokens: 1\n");
    assert_eq!(text(&server, &["user", "erase", "alice", "--yes"]), "erased\n");
    assert_eq!(json(&server, &["user", "events", "alice"]), json!([]));
}
