//! `/introspect` and `/revoke`: answers for valid, invalid and revoked tokens.

use serde_json::json;

use super::oauth_calls::*;
use crate::common::process::wait_for;
use crate::common::server::{assert_invalid_token, identity, text, token_path};
use crate::on_each_store;

#[test]
fn a_valid_token_is_introspected() {
    on_each_store(&[], |server| {
        let issued = server.issue(json!({"user": "ålice", "allowed_header": false, "allowed_cookie": false}));
        // Twice: first read from the store, then cached.
        for _ in 0..2 {
            let expected = json!({"active": true, "sub": "ålice", "iat": seconds(&issued["created_at"]),
                "exp": seconds(&issued["expires_at"]), "jti": issued["id"], "username": "ålice", "token_type": "Bearer"});
            assert_eq!(introspect(server, &issued["token"]), expected);
        }
        let takeover = json!({"user": "bob", "reason": "ticket 7"});
        let path = format!("{}/takeover", token_path(&issued["id"]));
        assert_eq!(server.call("POST", &path, Some(&takeover)).status, 201);
        let answer = introspect(server, &issued["token"]);
        assert_eq!((&answer["sub"], &answer["act"]), (&json!("bob"), &json!({"sub": "ålice"})));
        assert_eq!(server.call("DELETE", &path, None).status, 204);
        let answer = introspect(server, &issued["token"]);
        assert_eq!((&answer["sub"], answer.get("act")), (&json!("ålice"), None));
    });
}

#[test]
fn an_invalid_token_is_introspected_as_inactive_and_nothing_else() {
    on_each_store(&[], |server| {
        let revoked = server.issue(json!({}));
        server.revoke(&revoked["id"]);
        let expired = server.issue(json!({"idle_seconds": 1}));
        let pending = server.issue(json!({"is_authenticated": false}));
        let good = server.issue(json!({}));
        let (rest, last) = text(&good["token"]).split_at(50);
        let forged = format!("{rest}{}", if last == "A" { "B" } else { "A" });
        let rotated = server.issue(json!({}));
        let path = format!("{}/rotate", token_path(&rotated["id"]));
        let fresh = server.call("POST", &path, None).json();
        introspect(server, &fresh["token"]);
        wait_for("the token expires", || {
            let response = server.call("GET", &token_path(&expired["id"]), None);
            (response.status == 404).then_some(())
        });
        for none in [&revoked["token"], &expired["token"], &pending["token"], &json!(forged), &json!("x")] {
            assert_inactive(server, none);
            assert_inactive(server, none);
        }
        assert_inactive(server, &json!(text(&good["token"]).replacen("dw_", "dwd_", 1)));
    });
}

#[test]
fn an_oauth_revocation_revokes_the_token_and_records_an_event() {
    on_each_store(&[], |server| {
        let issued = server.issue(json!({}));
        identity(&server.auth(&issued["token"]));
        for _ in 0..2 {
            revoke(server, &issued["token"]);
            assert_invalid_token(&server.auth(&issued["token"]));
            assert_inactive(server, &issued["token"]);
        }
        assert_eq!(server.token(&issued["id"])["is_active"], false);
        let events = server.call("GET", "/v1/users/alice/events", None).json();
        let newest = &events["events"][0];
        assert_eq!(
            (&newest["type"], &newest["reason"]),
            (&json!("token.revoked"), &json!("revoked")),
            "{events}"
        );
        assert_eq!(newest["actor"], "key:admin", "{events}");

        let pending = server.issue(json!({"is_authenticated": false, "allowed_header": false}));
        revoke(server, &pending["token"]);
        assert_eq!(server.token(&pending["id"])["is_active"], false, "a pending token can be revoked, too");
    });
}

#[test]
fn only_the_exact_token_string_revokes_the_token() {
    on_each_store(&[], |server| {
        let issued = server.issue(json!({}));
        let token_string = text(&issued["token"]);
        let altered = if token_string.ends_with('A') { 'B' } else { 'A' };
        let forged = format!("{}{altered}", &token_string[..50]);
        for nothing in
            [json!(forged), issued["id"].clone(), json!("x"), json!(token_string.replacen("dw_", "dwd_", 1))]
        {
            revoke(server, &nothing);
        }
        identity(&server.auth(&issued["token"]));
    });
}

#[test]
fn an_old_secret_within_the_grace_period_revokes_the_token() {
    on_each_store(&[], |server| {
        let issued = server.issue(json!({}));
        let path = format!("{}/rotate", token_path(&issued["id"]));
        let fresh = server.call("POST", &path, None).json();
        revoke(server, &issued["token"]);
        assert_invalid_token(&server.auth(&fresh["token"]));
    });
}
