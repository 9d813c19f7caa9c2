//! Single checks through `/auth`.

use axum::http::{HeaderName, Method, StatusCode};
use doorward_client::{
    Anonymous, Checker as _, ClientRequest, Ended, Refusal, TakeoverFields, TokenFields, Validator, Verdict,
    Via,
};

use crate::support::{FakeServer, IP, PATIENCE, Server, answer, headers, secret};

async fn check(validator: &Validator, pairs: &[(&str, &str)], anonymous: Anonymous) -> Verdict {
    let headers = headers(pairs);
    validator.check(&ClientRequest::new(&Method::GET, &headers), anonymous).await.unwrap()
}

#[tokio::test]
async fn a_valid_token_names_its_user() {
    let server = Server::start(&[]);
    let fields = TokenFields {
        auth_slug: Some("web".into()),
        backend: Some("ldap".into()),
        scopes: vec!["a".into(), "b".into()],
        ..TokenFields::default()
    };
    let token = server.admin().issue("zoë", IP, &fields).await.unwrap();
    let verdict = server.validator().check_token(secret(&token)).await.unwrap();
    let identity = verdict.identity().unwrap();
    assert_eq!((&*identity.user, &*identity.actor, &identity.token_id), ("zoë", "zoë", &token.id));
    assert_eq!((identity.slug.as_deref(), identity.backend.as_deref()), (Some("web"), Some("ldap")));
    assert_eq!((&*identity.scopes, identity.via), (&["a".to_owned(), "b".to_owned()][..], Some(Via::Header)));
    assert!((1..=3600).contains(&identity.expires_in.as_secs()), "{identity:?}");
}

#[tokio::test]
async fn a_takeover_names_both_users() {
    let server = Server::start(&[]);
    let token = server.issue().await;
    server.admin().start_takeover(&token.id, "bob", &TakeoverFields::default()).await.unwrap();
    let verdict = server.validator().check_token(secret(&token)).await.unwrap();
    let identity = verdict.identity().unwrap();
    assert_eq!((&*identity.user, &*identity.actor, identity.is_takeover()), ("bob", "alice", true));
}

#[tokio::test]
async fn an_invalid_token_is_refused() {
    let server = Server::start(&[]);
    let (validator, batcher) = (server.validator(), server.batcher());
    for token in ["dw_made-up", "", "two words", "é", "\r\nX-Forged: 1", &"x".repeat(5000)] {
        let verdict = validator.check_token(token).await.unwrap();
        assert_eq!(verdict, Verdict::Refused(Refusal::invalid_token()), "{token}");
        assert!(batcher.validate(token).await.unwrap().is_none(), "{token}");
    }
}

#[tokio::test]
async fn a_request_without_a_token_is_refused_unless_it_may_be_anonymous() {
    let server = Server::start(&[]);
    let validator = server.validator();
    let refused = check(&validator, &[], Anonymous::Refused).await;
    assert_eq!(refused, Verdict::Refused(Refusal::no_token()));
    for pairs in [&[][..], &[("Authorization", "Bearer dw_made-up")]] {
        assert_eq!(check(&validator, pairs, Anonymous::Allowed).await, Verdict::Allowed(None));
    }
}

#[tokio::test]
async fn a_cookie_carries_the_token_and_the_bearer_header_decides_alone() {
    let server = Server::start(&[]);
    let token = server.issue().await;
    let line = format!("other=1; doorward={}", secret(&token));
    let cookie = ("Cookie", line.as_str());
    let validator = server.validator();
    let verdict = check(&validator, &[cookie], Anonymous::Refused).await;
    assert_eq!(verdict.identity().unwrap().via, Some(Via::Cookie));
    assert!(
        check(&validator, &[cookie, ("Authorization", "Basic YTpi")], Anonymous::Refused).await.is_allowed()
    );
    let verdict = check(&validator, &[cookie, ("Authorization", "Bearer no")], Anonymous::Refused).await;
    assert_eq!(verdict.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_pending_token_is_refused_with_its_reason() {
    let server = Server::start(&[]);
    let token = server.issue_with(&TokenFields { is_authenticated: Some(false), ..Default::default() }).await;
    let verdict = server.validator().check_token(secret(&token)).await.unwrap();
    let Verdict::Refused(refusal) = verdict else { panic!("{verdict:?}") };
    assert_eq!((refusal.status, refusal.reason()), (StatusCode::FORBIDDEN, Some("second-factor")));
    server.admin().confirm(&token.id).await.unwrap();
    assert!(server.validator().check_token(secret(&token)).await.unwrap().is_allowed());
}

#[tokio::test]
async fn an_unknown_check_lets_no_request_pass() {
    let server = Server::start(&[]);
    let token = server.issue().await;
    let error = server.validator().with_check("no such").check_token(secret(&token)).await.unwrap_err();
    assert!(error.to_string().contains("404"), "{error}");
}

#[tokio::test]
async fn logout_revokes_the_token_and_clears_the_cookie() {
    let server = Server::start(&[]);
    let (validator, token) = (server.validator(), server.issue().await);
    let cookie = format!("doorward={}", secret(&token));
    let own = headers(&[("Host", "shop.example"), ("Cookie", &cookie)]);
    let evil = headers(&[("Host", "shop.example"), ("Cookie", &cookie), ("Origin", "https://evil.example")]);
    let nothing = validator.logout(&ClientRequest::new(&Method::POST, &evil)).await.unwrap();
    assert_eq!((nothing.ended, nothing.set_cookie.len()), (None, 0));
    let done = validator.logout(&ClientRequest::new(&Method::POST, &own)).await.unwrap();
    assert_eq!(done.ended, Some(Ended::Token));
    assert!(done.set_cookie["set-cookie"].to_str().unwrap().starts_with("doorward=; Path=/; Max-Age=0"));
    assert!(!validator.check_token(secret(&token)).await.unwrap().is_allowed());
    let again = validator.logout(&ClientRequest::new(&Method::POST, &own)).await.unwrap();
    assert_eq!(again.ended, None);
}

#[tokio::test]
async fn another_site_cannot_use_the_cookie() {
    let server = Server::start(&[("COOKIE_CSRF_CHECK", "true"), ("TRUSTED_PROXIES", "127.0.0.1")]);
    let cookie = format!("doorward={}", secret(&server.issue().await));
    for (origin, status) in
        [("https://shop.example", StatusCode::OK), ("https://evil.example", StatusCode::FORBIDDEN)]
    {
        let headers = headers(&[("Host", "shop.example"), ("Cookie", &cookie), ("Origin", origin)]);
        let request = ClientRequest::new(&Method::POST, &headers).with_scheme("https").with_client(Some(IP));
        let verdict = server.validator().check(&request, Anonymous::Refused).await.unwrap();
        assert_eq!(verdict.status(), status, "{origin}");
    }
}

#[tokio::test]
async fn the_question_says_what_doorward_needs_and_no_more() {
    let fake = FakeServer::start(|_, _| answer("401 No", ""));
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let sent = headers(&[
        ("Host", "shop.example"),
        ("traceparent", trace),
        ("X-Request-Id", "abc"),
        ("X-Private", "1"),
        ("X-Token", "t"),
        ("X-Forwarded-For", "6.6.6.6"),
        ("X-Forwarded-Method", "GET"),
        ("Content-Length", "5"),
    ]);
    let validator = Validator::new(&fake.url)
        .unwrap()
        .with_timeout(PATIENCE)
        .with_forwarded_headers([HeaderName::from_static("x-token")]);
    let request = ClientRequest::new(&Method::DELETE, &sent).with_scheme("https").with_client(Some(IP));
    validator.check(&request, Anonymous::Refused).await.unwrap();
    let [question] = fake.requests().try_into().unwrap();
    let mut lines: Vec<_> = question.trim_end().split("\r\n").collect();
    lines[1..].sort_unstable();
    let trace = format!("traceparent: {trace}");
    let expected = [
        "GET /auth HTTP/1.1",
        "host: shop.example",
        &trace,
        "x-forwarded-for: 203.0.113.7",
        "x-forwarded-host: shop.example",
        "x-forwarded-method: DELETE",
        "x-forwarded-proto: https",
        "x-request-id: abc",
        "x-token: t",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn only_401_and_403_are_refusals() {
    for status in ["503 Down", "500 Error", "302 Found", "431 Large", "204 None", "404 Not"] {
        let fake = FakeServer::start(move |_, _| answer(&format!("{status}\r\nretry-after: 7"), ""));
        let validator = Validator::new(&fake.url).unwrap().with_timeout(PATIENCE);
        let error = validator.check_token("dw_token").await.unwrap_err();
        assert_eq!(error.retry_after().as_secs(), 7, "{status}");
    }
}

#[tokio::test]
async fn an_answer_without_a_user_is_not_a_login() {
    let fake = FakeServer::start(|_, _| answer("200 OK", ""));
    let validator = Validator::new(&fake.url).unwrap().with_timeout(PATIENCE);
    let headers = headers(&[]);
    for anonymous in [Anonymous::Refused, Anonymous::Allowed] {
        assert!(validator.check(&ClientRequest::new(&Method::GET, &headers), anonymous).await.is_err());
    }
}
