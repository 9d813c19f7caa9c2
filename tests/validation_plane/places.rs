//! The places of credentials that the settings name: another header, its schemes, and further cookies.

use serde_json::json;

use super::support::{Secrets, ask, assert_forbidden, base64, express, logout, percent};
use crate::common::server::{Server, assert_invalid_token, assert_no_token, bearer, cookie, identity, text};
use crate::on_each_store;

#[test]
fn the_named_header_and_its_schemes_carry_the_token() {
    let settings = [("DOORWARD_HEADER_NAME", "X-Token"), ("DOORWARD_HEADER_SCHEMES", "Token,none")];
    on_each_store(&settings, |server| {
        let (alice, bob) = (server.issue(json!({})), server.issue(json!({"user": "bob"})));
        let token = text(&alice["token"]);
        let get = |headers: &[(&str, &str)]| server.validation().get("/auth", headers);
        for value in [token.to_owned(), format!("Token {token}"), format!("tOKEN  {token} ")] {
            let answer = get(&[("X-Token", &value)]);
            assert_eq!(
                (identity(&answer)[0], answer.header("x-auth-via")),
                ("alice", Some("header")),
                "{value}"
            );
        }
        // The challenge stays, with which clients of OAuth know a refused token.
        for value in ["Token", "Token x", "x", &format!("{token},{token}")] {
            assert_invalid_token(&get(&[("X-Token", value), ("Cookie", &cookie(&bob["token"]))]));
        }
        let twice = [("X-Token", token), ("X-Token", token)];
        assert_invalid_token(&get(&twice));
        for other in [("X-Token", bearer(&alice["token"])), ("X-Token", "Basic YTpi".into())] {
            assert_no_token(&get(&[(other.0, &other.1)]));
            let by_cookie = get(&[(other.0, &other.1), ("Cookie", &cookie(&bob["token"]))]);
            assert_eq!(identity(&by_cookie)[0], "bob");
        }
        assert_no_token(&get(&[("Authorization", &bearer(&alice["token"]))]));
        let session = server.validation().get("/session", &[("X-Token", token)]);
        assert_eq!((session.status, &session.json()["id"]), (200, &alice["id"]));
    });
}

#[test]
fn further_cookies_carry_the_token() {
    let secrets = Secrets::new("old\nkeyboard cat\n");
    let cookies = format!(
        "plain,escaped:decoding=percent,b64:decoding=base64,connect.sid:decoding=express+secret-file={}",
        secrets.path()
    );
    on_each_store(&[("DOORWARD_FURTHER_COOKIES", &cookies)], |server| {
        let (alice, bob) = (server.issue(json!({})), server.issue(json!({"user": "bob"})));
        let header_only = server.issue(json!({"allowed_cookie": false}));
        let token = text(&alice["token"]);
        let get = |cookies: &str| server.validation().get("/auth", &[("Cookie", cookies)]);
        let carried = [
            format!("plain={token}"),
            format!("escaped={}", percent(token)),
            format!("b64={}", base64(token)),
            format!("connect.sid={}", percent(&express("keyboard cat", token))),
            format!("connect.sid={}", express("old", token)),
        ];
        for sent in &carried {
            let answer = get(sent);
            assert_eq!(
                (identity(&answer)[0], answer.header("x-auth-via")),
                ("alice", Some("cookie")),
                "{sent}"
            );
            // A token that is sent twice is one credential. Two different tokens are a failed login.
            identity(&get(&format!("{}; {sent}", cookie(&alice["token"]))));
            identity(&get(&format!("{sent}; doorward=")));
            assert_invalid_token(&get(&format!("{sent}; {}", cookie(&bob["token"]))));
            let by_header = [("Cookie", sent.as_str()), ("Authorization", &bearer(&bob["token"]))];
            assert_eq!(identity(&server.validation().get("/auth", &by_header))[0], "bob");
        }
        identity(&get(&carried[..4].join("; ")));
        for sent in [
            "plain=x".to_owned(),
            "escaped=%zz".to_owned(),
            "b64=!".to_owned(),
            format!("connect.sid={}", express("another", token)),
            format!("connect.sid={token}"),
            format!("plain={}", percent(token)),
            format!("plain={}", text(&header_only["token"])),
            format!("{}; escaped=%", cookie(&alice["token"])),
        ] {
            assert_invalid_token(&get(&sent));
        }
        assert_no_token(&get("plain=; escaped="));
        assert_no_token(&get(&format!("other={token}")));
    });
}

#[test]
fn another_site_cannot_use_a_further_cookie() {
    let settings = [
        ("DOORWARD_FURTHER_COOKIES", "sid"),
        ("DOORWARD_COOKIE_CSRF_CHECK", "true"),
        ("DOORWARD_TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let server = Server::start(&settings);
    let token = server.issue(json!({}))["token"].clone();
    let by_cookie = format!("sid={}", text(&token));
    let send = |method: &str, path: &str, site: &str| {
        let headers = [("Host", "shop.example"), ("Cookie", &*by_cookie), ("Sec-Fetch-Site", site)];
        server.validation().request(method, path, &headers, None)
    };
    assert_forbidden(&send("POST", "/auth", "cross-site"), "cross-site");
    identity(&send("GET", "/auth", "cross-site"));
    identity(&send("POST", "/auth", "same-origin"));
    assert_forbidden(&send("POST", "/logout", "cross-site"), "cross-site");
    identity(&ask(&mut server.validation(), "GET", "/auth", &token, &[]));
}

#[test]
fn a_logout_clears_the_further_cookies_of_the_request() {
    let settings = [
        ("DOORWARD_FURTHER_COOKIES", "sid,other,third"),
        ("DOORWARD_COOKIE_DOMAIN", "example.com"),
        ("DOORWARD_COOKIE_PATH", "/app"),
    ];
    on_each_store(&settings, |server| {
        let token = server.issue(json!({}));
        let attributes = |name: &str, path: &str, domain: &str| {
            format!("{name}=; Path={path}{domain}; Max-Age=0; Secure; HttpOnly; SameSite=Lax")
        };
        let other = |name: &str| {
            let places =
                [("/", "; Domain=example.com"), ("/", ""), ("/app", "; Domain=example.com"), ("/app", "")];
            places.map(|(path, domain)| attributes(name, path, domain))
        };
        let sent = format!("sid={}; other=", text(&token["token"]));
        let answer = logout(server, &[("Cookie", &sent)]);
        let own = attributes("doorward", "/app", "; Domain=example.com");
        let expected: Vec<_> = [own.clone()].into_iter().chain(other("sid")).chain(other("other")).collect();
        assert_eq!((answer.status, answer.json()), (200, json!({"ended": "token"})));
        assert_eq!(answer.header_values("set-cookie"), expected);

        // The token is revoked by now, and its cookie is cleared all the same.
        let answer = logout(server, &[("Cookie", &sent)]);
        let of_this_host = attributes("doorward", "/app", "");
        let expected: Vec<_> =
            [own, of_this_host].into_iter().chain(other("sid")).chain(other("other")).collect();
        assert_eq!(
            (answer.status, answer.header_values("set-cookie")),
            (401, expected.iter().map(String::as_str).collect())
        );
    });
}
