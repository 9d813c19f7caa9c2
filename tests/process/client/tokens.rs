//! `doorward token` and `doorward takeover`.

use serde_json::{Value, json};

use super::support::{call, failure, json, text};
use crate::common::server::{Server, assert_invalid_token, identity};

#[test]
fn a_token_is_issued_shown_rotated_and_revoked() {
    let server = Server::start(&[]);
    let (code, stdout, stderr) = call(&server, &["token", "issue", "--user", "alice", "--ip", "10.0.0.1"]);
    assert_eq!(code, 0, "{stderr}");
    // Standard output is the token string alone, for scripts. It is nowhere else.
    let token = stdout.trim_end();
    assert_eq!(identity(&server.auth(&token.into()))[0], "alice");
    assert!(!stderr.contains(token) && stderr.contains("secret") && stderr.contains("alice"), "{stderr}");

    let id = &token[3..19];
    let shown = json(&server, &["token", "show", id]);
    assert_eq!(shown, server.token(&id.into()));
    let lines = text(&server, &["token", "show", id]);
    for line in
        [format!("id                {id}"), "user              alice".into(), "revoked_at        -".into()]
    {
        assert!(lines.lines().any(|shown| shown == line), "{line}\n{lines}");
    }

    let rotated = json(&server, &["token", "rotate", id]);
    assert!(rotated["id"] == id && rotated["token"] != token, "{rotated}");
    identity(&server.auth(&rotated["token"]));
    assert_eq!(text(&server, &["token", "revoke", id]), format!("revoked {id}\n"));
    assert_invalid_token(&server.auth(&rotated["token"]));
    assert_eq!(json(&server, &["token", "revoke", id]), json!({"id": id, "revoked": true}));
}

#[test]
fn every_field_of_a_new_token_has_a_flag() {
    let server = Server::start(&[]);
    let flags = "--auth-slug web --backend ldap --idle 2h --lifetime 1d --no-cookie --related app.order/7 \
                 --related app.cart/a/b --scope read --scope orders:write";
    let start = ["token", "issue", "--user=a/b ü", "--ip=::1", "--user-agent", "Mozilla 5"];
    let args: Vec<_> = start.into_iter().chain(flags.split_whitespace()).collect();
    let token = json(&server, &args);
    let shown = server.token(&token["id"]);
    for (name, value) in [
        ("user", json!("a/b ü")),
        ("ip", json!("::1")),
        ("user_agent", json!("Mozilla 5")),
        ("auth_slug", json!("web")),
        ("backend", json!("ldap")),
        ("allowed_cookie", json!(false)),
        ("allowed_header", json!(true)),
        ("expiration", json!(true)),
        ("scopes", json!(["read", "orders:write"])),
    ] {
        assert_eq!(shown[name], value, "{name}: {shown}");
    }
    assert_eq!(shown["related_objects"].as_array().map(Vec::len), Some(2), "{shown}");
    let preserved = json(&server, &["token", "issue", "--user=b", "--ip=::1", "--preserved", "--no-header"]);
    assert_eq!(
        (&preserved["expiration"], &preserved["allowed_header"]),
        (&Value::Bool(false), &Value::Bool(false))
    );
}

#[test]
fn a_takeover_starts_and_ends() {
    let server = Server::start(&[]);
    let token = server.issue(json!({}));
    let id = token["id"].as_str().unwrap();
    let takeover =
        json(&server, &["takeover", "start", id, "--user=bob", "--reason=help desk", "--seconds=60"]);
    assert_eq!((&takeover["actor"], &takeover["user"]), (&json!("alice"), &json!("bob")));
    assert_eq!(identity(&server.auth(&token["token"]))[0], "bob");
    assert_eq!(text(&server, &["takeover", "end", id]), format!("ended the takeover of {id}\n"));
    assert_eq!(identity(&server.auth(&token["token"]))[0], "alice");
    let again = failure(&server, &["takeover", "end", id], 1);
    assert!(again.starts_with("refused: 404 Not found: "), "{again}");
    let own = failure(&server, &["takeover", "start", id, "--user=alice"], 1);
    assert!(own.starts_with("refused: 409 "), "{own}");
    let too_long = failure(&server, &["takeover", "start", id, "--user=bob", "--seconds=99999999999"], 1);
    assert!(too_long.starts_with("refused: 422 ") && too_long.contains("/seconds: "), "{too_long}");
}
