//! Micro-batching through `POST /v1/validate`.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use doorward_client::{
    Admin, Anonymous, Batcher, Checker as _, ClientRequest, TakeoverFields, TokenFields, Verdict, Via,
};
use tokio::task::JoinSet;

use crate::support::{FakeServer, KEY, PATIENCE, Reply, Server, answer, headers, secret};

async fn check(batcher: &Batcher, pairs: &[(&str, &str)], anonymous: Anonymous) -> Verdict {
    let headers = headers(pairs);
    batcher.check(&ClientRequest::new(&Method::GET, &headers), anonymous).await.unwrap()
}

/// A batcher of a server that knows no token.
fn refusing() -> (FakeServer, Batcher) {
    let fake = FakeServer::start(|_, request| {
        let body: serde_json::Value =
            serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
        let count = body["tokens"].as_array().unwrap().len();
        answer("200 OK", &format!(r#"{{"results":[{}]}}"#, vec![r#"{"is_active":false}"#; count].join(",")))
    });
    let admin = Admin::new(&fake.url, KEY).unwrap().with_timeout(PATIENCE);
    (fake, Batcher::new(admin).with_timeout(PATIENCE))
}

#[tokio::test]
async fn concurrent_checks_each_get_their_own_answer() {
    let server = Server::start(&[]);
    let batcher = server.batcher();
    let mut tokens = Vec::new();
    for _ in 0..50 {
        tokens.push(server.issue().await);
    }
    let mut checks = JoinSet::new();
    for number in 0..1000 {
        let (batcher, token) = (batcher.clone(), tokens[number % 50].clone());
        checks.spawn(async move {
            if number % 3 == 0 {
                return batcher.validate("dw_made-up").await.unwrap().is_none();
            }
            batcher.validate(secret(&token)).await.unwrap().unwrap().id == token.id
        });
    }
    assert!(checks.join_all().await.into_iter().all(|is_right| is_right));
}

#[tokio::test]
async fn a_batch_is_full_at_1000_tokens_or_at_the_size_that_doorward_reads() {
    for (length, count) in [(1, 1000), (996, 60)] {
        let (fake, batcher) = refusing();
        // A delay that never ends: only full batches are sent.
        let batcher = batcher.with_max_delay(PATIENCE * 60);
        let mut checks = JoinSet::new();
        for _ in 0..2 * count {
            let (batcher, token) = (batcher.clone(), "x".repeat(length));
            checks.spawn(async move { batcher.validate(&token).await.unwrap().is_none() });
        }
        // A batch by its size is sent when the next token comes.
        let further = tokio::spawn({
            let batcher = batcher.clone();
            async move { batcher.validate(&"x".repeat(1000)).await }
        });
        assert!(checks.join_all().await.into_iter().all(|is_refused| is_refused));
        further.abort();
        assert_eq!(fake.requests().len(), 2, "{count} tokens of {length} bytes");
    }
}

#[tokio::test]
async fn too_many_waiting_tokens_are_unavailable_at_once() {
    let fake = FakeServer::start(|_, _| Reply::Silence);
    let admin = Admin::new(&fake.url, KEY).unwrap().with_timeout(PATIENCE);
    let batcher = Batcher::new(admin).with_max_waiting(2).with_timeout(PATIENCE);
    let mut waiting = JoinSet::new();
    let mut refused = 0;
    for _ in 0..5 {
        let batcher = batcher.clone();
        waiting.spawn(async move { batcher.validate("dw_token").await });
    }
    while refused < 3 {
        let error = waiting.join_next().await.unwrap().unwrap().unwrap_err();
        assert!(error.to_string().contains("too many checks"), "{error}");
        refused += 1;
    }
    // A caller that gives up makes room.
    waiting.shutdown().await;
    let next = tokio::time::timeout(Duration::from_millis(50), batcher.validate("dw_token")).await;
    assert!(next.is_err(), "the token waits");
}

#[tokio::test]
async fn the_deadline_ends_a_check() {
    let fake = FakeServer::start(|_, _| Reply::Silence);
    let admin = Admin::new(&fake.url, KEY).unwrap().with_timeout(PATIENCE);
    let batcher = Batcher::new(admin).with_timeout(Duration::from_millis(50));
    let error = batcher.validate("dw_token").await.unwrap_err();
    assert!(error.to_string().contains("no answer within 50 ms"), "{error}");
}

#[tokio::test]
async fn a_refused_batch_is_an_outage() {
    let server = Server::start(&[]);
    let admin = Admin::new(&server.admin_url, "a-wrong-key").unwrap().with_timeout(PATIENCE);
    let error = Batcher::new(admin).validate("dw_token").await.unwrap_err();
    assert!(error.to_string().contains("401"), "{error}");
}

#[tokio::test]
async fn the_rules_are_those_of_auth() {
    let server = Server::start(&[]);
    let (batcher, admin) = (server.batcher(), server.admin());
    let token = server.issue_with(&TokenFields { allowed_header: Some(false), ..Default::default() }).await;
    let (bearer, cookie) = (format!("Bearer {}", secret(&token)), format!("doorward={}", secret(&token)));
    let (bearer, cookie) = (("Authorization", &*bearer), ("Cookie", &*cookie));
    for (pairs, status) in [
        (&[][..], StatusCode::UNAUTHORIZED),
        (&[bearer], StatusCode::UNAUTHORIZED),
        (&[cookie], StatusCode::OK),
        (&[cookie, ("Authorization", "Basic YTpi")], StatusCode::OK),
        (&[cookie, ("Authorization", "Bearer no")], StatusCode::UNAUTHORIZED),
        (&[cookie, ("Cookie", "doorward=other")], StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(check(&batcher, pairs, Anonymous::Refused).await.status(), status, "{pairs:?}");
        let validator = server.validator();
        let headers = headers(pairs);
        let alike = validator.check(&ClientRequest::new(&Method::GET, &headers), Anonymous::Refused).await;
        assert_eq!(alike.unwrap().status(), status, "{pairs:?}");
    }
    assert_eq!(check(&batcher, &[bearer], Anonymous::Allowed).await, Verdict::Allowed(None));
    admin
        .start_takeover(&token.id, "bob", &TakeoverFields { seconds: Some(60), reason: None })
        .await
        .unwrap();
    let verdict = check(&batcher, &[cookie], Anonymous::Refused).await;
    let identity = verdict.identity().unwrap();
    assert_eq!((&*identity.user, &*identity.actor, identity.via), ("bob", "alice", Some(Via::Cookie)));
    assert!((1..=60).contains(&identity.expires_in.as_secs()), "{identity:?}");
}
