//! `POST /session/upgrade` with native token strings.

use serde_json::json;

use super::support::{FOREIGN, assert_forbidden, upgrade};
use crate::common::server::{
    Server, assert_invalid_token, assert_no_token, bearer, cookie, identity, text, token_path,
};
use crate::on_each_store;

const FURTHER: (&str, &str) = ("DOORWARD_FURTHER_COOKIES", "sid:decoding=percent");

#[test]
fn a_native_token_moves_into_the_token_cookie() {
    on_each_store(&[FURTHER], |server| {
        let issued = server.issue(json!({"set_cookie": true}));
        let token = text(&issued["token"]);
        let by_sid = format!("sid={}", token.replace('_', "%5F"));
        let cleared = "sid=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax";
        let set = text(&issued["set_cookie"]);
        let both = format!("{}; {by_sid}", cookie(&issued["token"]));
        for (headers, cookies) in [
            (vec![("Cookie", &*by_sid)], vec![set, cleared]),
            // A browser that has missed the answer asks again.
            (vec![("Cookie", &by_sid), ("Sec-Fetch-Site", "same-origin")], vec![set, cleared]),
            (vec![("Cookie", &both)], vec![cleared]),
            (vec![("Cookie", &cookie(&issued["token"]))], vec![]),
            (vec![("Authorization", &bearer(&issued["token"]))], vec![set]),
        ] {
            let answer = upgrade(server, &headers);
            assert_eq!((answer.status, answer.header_values("set-cookie")), (200, cookies), "{headers:?}");
            let shown = answer.json();
            assert_eq!((&shown["id"], &shown["user"]), (&issued["id"], &json!("alice")));
            assert_eq!(shown.get("token"), None, "the string is the one that the request carried");
        }
        identity(&server.validation().get("/auth", &[("Cookie", &cookie(&issued["token"]))]));
    });
}

#[test]
fn only_the_sites_own_pages_may_upgrade() {
    on_each_store(&[FURTHER], |server| {
        let token = server.issue(json!({}))["token"].clone();
        let by_sid = format!("sid={}", text(&token));
        for credentials in
            [("Cookie", &*by_sid), ("Cookie", &cookie(&token)), ("Authorization", &bearer(&token))]
        {
            for foreign in FOREIGN {
                assert_forbidden(&upgrade(server, &[credentials, foreign]), "cross-site");
            }
        }
        identity(&server.auth(&token));
    });
}

#[test]
fn an_upgrade_needs_a_valid_token() {
    on_each_store(&[FURTHER], |server| {
        let (revoked, pending) = (server.issue(json!({})), server.issue(json!({"is_authenticated": false})));
        server.revoke(&revoked["id"]);
        assert_no_token(&upgrade(server, &[]));
        assert_invalid_token(&upgrade(server, &[("Cookie", &cookie(&revoked["token"]))]));
        assert_invalid_token(&upgrade(server, &[("Cookie", "sid=%zz")]));
        assert_forbidden(&upgrade(server, &[("Cookie", &cookie(&pending["token"]))]), "second-factor");
        let header_only = server.issue(json!({"allowed_cookie": false}));
        let answer = upgrade(server, &[("Authorization", &bearer(&header_only["token"]))]);
        assert_eq!((answer.status, answer.header("set-cookie")), (200, None));
        assert_eq!(answer.json()["id"], header_only["id"]);
    });
}

#[test]
fn an_upgrade_keeps_the_takeover() {
    let server = Server::start(&[FURTHER]);
    let issued = server.issue(json!({}));
    let path = format!("{}/takeover", token_path(&issued["id"]));
    assert_eq!(server.call("POST", &path, Some(&json!({"user": "bob"}))).status, 201);
    let answer = upgrade(&server, &[("Cookie", &format!("sid={}", text(&issued["token"])))]);
    assert_eq!(answer.json()["takeover"]["user"], "bob");
    let by_cookie = cookie(&issued["token"]);
    assert_eq!(identity(&server.validation().get("/auth", &[("Cookie", &by_cookie)]))[..2], ["bob", "alice"]);
}
