//! The application gets the identity, and a client cannot forge it.

use serde_json::json;

use crate::common::process::wait_for;
use crate::common::server::{IDENTITY, bearer, cookie, text, token_path};
use crate::proxies::site::{Site, assert_no_identity_sent, assert_no_identity_shown};

pub fn the_application_learns_who_is_there(site: &mut Site) {
    let issued = site.server.issue(
        json!({"user": "zoë 100%", "auth_slug": "web", "backend": "ldap", "scopes": ["read", "a:write"]}),
    );
    let token = &issued["token"];
    for (name, value, sent_by) in
        [("Authorization", bearer(token), "header"), ("Cookie", cookie(token), "cookie")]
    {
        let response = site.client().get("/orders?page=2", &[(name, &value)]);
        assert_eq!(response.status, 200, "{response:?}");
        assert_no_identity_shown(&response);
        let [request] = &site.app.take_requests()[..] else { panic!("one request") };
        assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/orders?page=2"));
        let [who @ .., expires_in, scopes, via] = site.identity(request);
        let expected = ["zo%C3%AB%20100%25", "zo%C3%AB%20100%25", text(&issued["id"]), "web", "ldap", "-"];
        let count = site.ways.identity_headers.min(expected.len());
        // Percent-encoding is case-insensitive (RFC 3986, section 2.1).
        for (sent, expected) in who[..count].iter().zip(expected) {
            assert!(sent.eq_ignore_ascii_case(expected), "{who:?}");
        }
        if site.ways.identity_headers < IDENTITY.len() {
            continue;
        }
        assert_eq!([scopes, via], ["read a:write", sent_by]);
        let expires_in: u32 = expires_in.parse().unwrap();
        assert!((3_000..=3_600).contains(&expires_in), "{expires_in}");
    }
}

pub fn a_takeover_shows_both_users(site: &mut Site) {
    let issued = site.server.issue(json!({}));
    let takeover = format!("{}/takeover", token_path(&issued["id"]));
    let started = site.server.call("POST", &takeover, Some(&json!({"user": "bob"})));
    assert_eq!(started.status, 201, "{}", started.text());
    let seen = || {
        assert_eq!(site.get("/", &issued["token"]).status, 200);
        let requests = site.app.take_requests();
        let [user, actor, ..] = site.identity(&requests[0]);
        (user.to_owned(), actor.to_owned())
    };
    assert_eq!(seen(), ("bob".to_owned(), "alice".to_owned()));
    assert_eq!(site.server.call("DELETE", &takeover, None).status, 204);
    let alone = ("alice".to_owned(), "alice".to_owned());
    if site.ways.remembers {
        wait_for("the takeover's end shows", || (seen() == alone).then_some(()));
    }
    assert_eq!(seen(), alone);
}

/// The client sends its own headers of these names to every kind of route, with a valid token, an invalid one and none.
fn send_forged(site: &Site, forged: &[String], may_be_rejected: bool) {
    let token = site.server.issue(json!({}))["token"].clone();
    let tokens = [vec![bearer(&token)], vec!["Bearer dw_x".to_owned()], vec![]];
    let optional = site.ways.has_optional.then_some("/welcome/");
    for path in ["/", "/public/"].into_iter().chain(optional) {
        for authorization in &tokens {
            let headers: Vec<_> = forged
                .iter()
                .map(|name| (name.as_str(), "forged"))
                .chain(authorization.iter().map(|value| ("Authorization", value.as_str())))
                .collect();
            let response = site.client().get(path, &headers);
            let is_good = authorization.first() == tokens[0].first();
            let status = if path == "/" && !is_good { 401 } else { 200 };
            let is_rejected = may_be_rejected && [400, 401, 403].contains(&response.status);
            assert!(response.status == status || is_rejected, "{path}: {response:?}");
            let requests = site.app.take_requests();
            assert_eq!(requests.len(), usize::from(response.status == 200), "{path}: {requests:?}");
            let Some(request) = requests.first() else { continue };
            assert!(!format!("{:?}", request.headers).contains("forged"), "{path}: {request:?}");
            match path {
                "/public/" => assert_no_identity_sent(request),
                _ => assert_eq!(site.identity(request)[0], if is_good { "alice" } else { "-" }),
            }
        }
    }
}

pub fn forged_identity_never_arrives(site: &mut Site) {
    let spelled = |name: &str| [name.to_owned(), name.to_lowercase(), name.to_uppercase(), name.to_owned()];
    let forged: Vec<_> = IDENTITY.iter().flat_map(|name| spelled(name)).collect();
    send_forged(site, &forged, false);
}

/// Names that many applications confuse with the identity headers: CGI, WSGI and PHP replace every character that is
/// neither a letter nor a digit by `_`. A proxy may drop such headers or refuse the request.
pub fn aliases_never_arrive(site: &mut Site) {
    let aliases = |name: &str| -> Vec<String> {
        // All characters of a name besides letters, digits and `-` (RFC 9110, section 5.6.2).
        let all = "!#$%&'*+.^_`|~".chars().map(|character| name.replace('-', &character.to_string()));
        let last = name.rsplit_once('-').map(|(start, end)| format!("{start}_{end}"));
        all.chain(last).chain([name.replace('-', "_").to_lowercase(), name.replacen('-', "_", 1)]).collect()
    };
    let forged: Vec<_> = IDENTITY.iter().flat_map(|name| aliases(name)).collect();
    // Some servers accept at most a hundred headers.
    for forged in forged.chunks(40) {
        send_forged(site, forged, true);
    }
}

/// Forwarding headers of the client reach neither the application nor Doorward, and the client cannot exempt its
/// request from renewal.
pub fn forged_forwarding_never_arrives(site: &mut Site) {
    let forwarded = "For Host Proto Port Uri Method Prefix Server Scheme Ssl By Path User Email Groups \
        Preferred-Username Access-Token Client-Cert Tls-Client-Cert";
    let forged: Vec<_> = forwarded
        .split_whitespace()
        .map(|name| format!("X-Forwarded-{name}"))
        .chain(
            ["X-Original-Method", "X-Original-Uri", "X-Original-Url", "X-Real-Ip", "Forwarded"]
                .map(Into::into),
        )
        .chain(["X-Authorization-Renewal-Exempt".to_owned()])
        .collect();
    site.relay.take_sent();
    send_forged(site, &forged, false);
    let asked = site.relay.take_sent();
    assert!(!asked.contains("forged"), "{asked}");
    let exempt = asked.to_ascii_lowercase().contains("renewal-exempt");
    assert!(!asked.is_empty() && !exempt, "{asked}");
    let aliases: Vec<_> = forged.iter().map(|name| name.replace('-', "_")).collect();
    send_forged(site, &aliases, true);
    assert!(!site.relay.take_sent().contains("forged"));
}

/// `Connection: NAME` asks a proxy to drop that header (RFC 9110, section 7.6.1): it must not drop the identity.
pub fn no_header_can_be_named_away(site: &mut Site) {
    let authorization = bearer(&site.server.issue(json!({}))["token"]);
    // Envoy refuses a request that names ten headers.
    for names in IDENTITY.chunks(5) {
        let named = format!("close, {}", names.join(", "));
        let headers = [("Connection", named.as_str()), ("Authorization", &authorization)];
        for path in ["/", "/welcome/"] {
            let response = site.client().get(path, &headers);
            assert_eq!(response.status, 200, "{response:?}");
            assert_eq!(site.identity(&site.app.take_requests()[0])[0], "alice");
        }
    }
}
