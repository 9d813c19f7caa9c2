//! `/auth`, `/auth-optional`, `/session` and `/logout`: which credentials pass, and what the answers contain.

use serde_json::json;

use super::support::{ANONYMOUS, logout};
use crate::common::server::{
    assert_invalid_token, assert_no_token, bearer, cookie, identity, text, token_path,
};
use crate::on_each_store;

/// Returns malformed strings, and strings that differ from `token` in one character.
fn forged(token: &str) -> Vec<String> {
    let altered = |at: usize| {
        let other = if token.as_bytes()[at] == b'A' { 'B' } else { 'A' };
        format!("{}{other}{}", &token[..at], &token[at + 1..])
    };
    let mut forged: Vec<String> = (0..token.len()).map(altered).collect();
    let others =
        ["", "x", "dw_", "null", "undefined", "Bearer", "=", "\u{e9}", "dw_é", &"a".repeat(20_000), "a b"];
    forged.extend(others.map(str::to_owned));
    forged.push(format!("{token}A"));
    forged.push(token[..token.len() - 1].to_owned());
    forged.push(token.replacen("dw_", "dwd_", 1));
    forged.push(token.replacen("dw_", "DW_", 1));
    forged.push(format!("{token} {token}"));
    forged.push(format!("{token},"));
    forged.push(format!("\"{token}\""));
    forged
}

#[test]
fn a_valid_token_passes_with_its_whole_identity() {
    on_each_store(&[], |server| {
        let full = server.issue(json!({"auth_slug": "web", "backend": "ldap", "idle_seconds": 100}));
        let bare = server.issue(json!({"user": "bob"}));
        let mut client = server.validation();
        for path in [
            "/auth",
            "/auth/",
            "/auth/a/b",
            "/auth?a=b",
            "/auth/../logout?x",
            "/auth-optional",
            "/auth-optional/x",
        ] {
            let response = client.get(path, &[("Authorization", &bearer(&full["token"]))]);
            let [user, actor, id, slug, backend, device, expires_in] = identity(&response);
            assert_eq!([user, actor, id], ["alice", "alice", text(&full["id"])], "{path}");
            assert_eq!([slug, backend, device], ["web", "ldap", "-"], "{path}");
            assert!((80..=100).contains(&expires_in.parse::<u32>().unwrap()), "{path}: {expires_in}");

            let response = client.get(path, &[("Cookie", &cookie(&bare["token"]))]);
            let [user, actor, id, rest @ .., _] = identity(&response);
            assert_eq!([user, actor, id], ["bob", "bob", text(&bare["id"])], "{path}");
            assert_eq!(rest, ["-", "-", "-"], "{path}");
        }
        assert_eq!(client.connections(), 1);
    });
}

#[test]
fn a_request_without_a_valid_token_is_refused_or_anonymous() {
    on_each_store(&[], |server| {
        let issued = server.issue(json!({}));
        let revoked = server.issue(json!({}));
        server.revoke(&revoked["id"]);
        let mut client = server.validation();
        let mut both = |headers: &[(&str, &str)]| {
            assert_eq!(identity(&client.get("/auth-optional/x", headers)), ANONYMOUS, "{headers:?}");
            client.get("/auth", headers)
        };
        assert_no_token(&both(&[]));
        assert_no_token(&both(&[("Authorization", "Basic YTpi")]));
        assert_no_token(&both(&[("Cookie", "other=1; doorward=")]));
        assert_no_token(&both(&[("Cookie", &format!("Doorward={}", text(&issued["token"])))]));
        assert_no_token(&both(&[("X-Auth-User", "root"), ("X-Auth-Token-Id", text(&issued["id"]))]));
        let good = bearer(&issued["token"]);
        assert_no_token(&both(&[("Proxy-Authorization", &good)]));
        assert_invalid_token(&both(&[("Authorization", "Bearer")]));
        assert_invalid_token(&both(&[("Authorization", &bearer(&revoked["token"]))]));
        assert_invalid_token(&both(&[("Cookie", &cookie(&revoked["token"]))]));
        for token in forged(text(&issued["token"])) {
            assert_invalid_token(&both(&[("Authorization", &format!("Bearer {token}"))]));
        }
    });
}

#[test]
fn the_header_decides_before_the_cookie() {
    on_each_store(&[], |server| {
        let (alice, bob) = (server.issue(json!({})), server.issue(json!({"user": "bob"})));
        let (by_header, by_cookie) = (bearer(&alice["token"]), cookie(&bob["token"]));
        let token = text(&alice["token"]);
        let ask = |headers: &[(&str, &str)]| server.validation().get("/auth", headers);
        let user = |headers: &[(&str, &str)]| identity(&ask(headers))[0].to_owned();
        fn header(value: &str) -> (&str, &str) {
            ("Authorization", value)
        }

        assert_eq!(user(&[header(&by_header), ("Cookie", &by_cookie)]), "alice");
        assert_invalid_token(&ask(&[header("Bearer x"), ("Cookie", &by_cookie)]));
        assert_eq!(user(&[header("Basic YTpi"), ("Cookie", &by_cookie)]), "bob");
        for scheme in ["bearer", "BEARER", "bEaReR"] {
            assert_eq!(user(&[header(&format!("{scheme} {token}"))]), "alice");
        }
        assert_eq!(user(&[header(&format!("Bearer   {token}  "))]), "alice");
        assert_no_token(&ask(&[header(token)]));
        assert_no_token(&ask(&[header(&format!("Bearer{token}"))]));
        for cookies in [
            format!("a=b;{by_cookie};c=d"),
            format!("{by_cookie}; {by_cookie}"),
            format!("doorward=\"{}\"", text(&bob["token"])),
            format!("x{}; {by_cookie}", cookie(&alice["token"])),
        ] {
            assert_eq!(user(&[("Cookie", &cookies)]), "bob", "{cookies}");
        }
        let two = format!("{by_cookie}; {}", cookie(&alice["token"]));
        assert_invalid_token(&ask(&[("Cookie", &two)]));
    });
}

#[test]
fn a_token_is_accepted_only_on_its_allowed_transports() {
    on_each_store(&[], |server| {
        let cookie_only = server.issue(json!({"allowed_header": false}));
        let header_only = server.issue(json!({"allowed_cookie": false}));
        let by_header = |issued: &serde_json::Value| server.auth(&issued["token"]);
        let by_cookie = |issued: &serde_json::Value| {
            server.validation().get("/auth", &[("Cookie", &cookie(&issued["token"]))])
        };
        identity(&by_cookie(&cookie_only));
        assert_invalid_token(&by_header(&cookie_only));
        identity(&by_header(&header_only));
        assert_invalid_token(&by_cookie(&header_only));

        let change = json!({"allowed_header": true, "allowed_cookie": false});
        assert_eq!(server.call("PATCH", &token_path(&cookie_only["id"]), Some(&change)).status, 200);
        identity(&by_header(&cookie_only));
        assert_invalid_token(&by_cookie(&cookie_only));
    });
}

#[test]
fn users_are_percent_encoded_in_headers() {
    on_each_store(&[], |server| {
        let long = "é€😀x".repeat(25) + "123456";
        assert_eq!(long.len(), 256);
        for (user, encoded) in [
            ("al ice", "al%20ice".to_owned()),
            ("100%", "100%25".to_owned()),
            ("a/b?c#d\"e:f,g;h", "a/b?c#d\"e:f,g;h".to_owned()),
            ("--", "--".to_owned()),
            (&long, "%C3%A9%E2%82%AC%F0%9F%98%80x".repeat(25) + "123456"),
        ] {
            let issued = server.issue(json!({"user": user, "backend": user.replace("123456", "")}));
            let [in_header, actor, ..] = identity(&server.auth(&issued["token"])).map(str::to_owned);
            assert_eq!((in_header.as_str(), &actor), (encoded.as_str(), &encoded));
            let session =
                server.validation().get("/session", &[("Authorization", &bearer(&issued["token"]))]);
            assert_eq!(session.json()["user"], user);
        }
    });
}

#[test]
fn the_session_endpoint_shows_the_callers_token() {
    on_each_store(&[], |server| {
        let issued = server.issue(json!({"user_agent": "Mozilla/5.0", "related_objects":
            [{"content_type": "shop.order", "object_id": "7"}]}));
        for header in [("Authorization", bearer(&issued["token"])), ("Cookie", cookie(&issued["token"]))] {
            let response = server.validation().get("/session", &[(header.0, &header.1)]);
            assert_eq!(response.status, 200);
            assert_eq!(response.header("content-type"), Some("application/json"));
            assert_eq!(response.header("cache-control"), Some("no-store"));
            let mut expected = issued.clone();
            let session = response.json();
            // An access may have changed these two.
            for moving in ["last_access", "expires_at"] {
                expected[moving] = session[moving].clone();
            }
            expected.as_object_mut().unwrap().remove("token");
            assert_eq!(session, expected);
        }
        let head = format!(
            "HEAD /session HTTP/1.1\r\nHost: a\r\nAuthorization: {}\r\n\r\n",
            bearer(&issued["token"])
        );
        assert_eq!(server.validation().send(head).status, 200);
        assert_no_token(&server.validation().get("/session", &[]));
        assert_invalid_token(&server.validation().get("/session", &[("Authorization", "Bearer x")]));
    });
}

#[test]
fn logout_revokes_the_token_and_clears_its_cookie() {
    on_each_store(&[], |server| {
        let (first, second) = (server.issue(json!({})), server.issue(json!({})));
        let by_header = bearer(&first["token"]);
        let response = logout(server, &[("Authorization", &by_header), ("Origin", "https://app.example")]);
        assert_eq!((response.status, response.json()), (200, json!({"ended": "token"})));
        assert_eq!(response.header("set-cookie"), None, "no cookie carried it");
        assert_invalid_token(&server.auth(&first["token"]));
        assert_invalid_token(&logout(server, &[("Authorization", &by_header)]));
        assert_eq!(server.token(&first["id"])["is_active"], false);

        let by_cookie = cookie(&second["token"]);
        identity(&server.auth(&second["token"]));
        let response = logout(server, &[("Cookie", &by_cookie), ("Sec-Fetch-Site", "same-origin")]);
        assert_eq!((response.status, response.json()), (200, json!({"ended": "token"})));
        let cleared = response.header("set-cookie").unwrap();
        assert!(cleared.starts_with("doorward=;") && cleared.contains("Max-Age=0"), "{cleared}");
        assert!(cleared.contains("Path=/"), "{cleared}");
        assert_invalid_token(&server.auth(&second["token"]));
        assert_no_token(&logout(server, &[]));
    });
}

/// A browser sends an invalid cookie until the server clears it.
#[test]
fn logout_clears_an_invalid_cookie() {
    on_each_store(&[("DOORWARD_COOKIE_DOMAIN", "example.com")], |server| {
        let (revoked, other) = (server.issue(json!({})), server.issue(json!({})));
        server.revoke(&revoked["id"]);
        let revoked = cookie(&revoked["token"]);
        // One cookie set before and one set after the domain was configured.
        let two = format!("{}; {revoked}", cookie(&other["token"]));
        let cleared = [
            "doorward=; Path=/; Domain=example.com; Max-Age=0; Secure; HttpOnly; SameSite=Lax",
            "doorward=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax",
        ];
        for sent in [revoked.as_str(), "doorward=dw_forged", &two] {
            let response = logout(server, &[("Cookie", sent)]);
            assert_eq!((response.status, response.header_values("set-cookie")), (401, cleared.to_vec()));
        }
        let by_header = [("Authorization", "Bearer x"), ("Cookie", revoked.as_str())];
        assert_invalid_token(&logout(server, &by_header));
        assert_invalid_token(&logout(server, &[("Cookie", &revoked), ("Sec-Fetch-Site", "cross-site")]));
        assert_invalid_token(&server.validation().get("/auth", &[("Cookie", &revoked)]));
    });
}
