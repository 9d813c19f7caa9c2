//! An outage is 503 and never 401; afterwards everything works again by itself.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use doorward_client::{
    Anonymous, AuthLayer, CallError, Checker, ClientRequest, Identity, TokenFields, Verdict,
};

use crate::support::{self, IP, Redis, Server, eventually, headers, secret};

async fn check(checker: &impl Checker, token: &str, anonymous: Anonymous) -> Option<Verdict> {
    let headers = headers(&[("Authorization", &format!("Bearer {token}"))]);
    checker.check(&ClientRequest::new(&axum::http::Method::GET, &headers), anonymous).await.ok()
}

#[tokio::test]
async fn a_killed_server_is_unavailable_until_it_is_back() {
    let mut server = Server::on_unix_sockets(&[("TOKEN_KEYS", &"k".repeat(32))]);
    let (validator, admin, batcher) = (server.validator(), server.admin(), server.batcher());
    let app = |layer: AuthLayer<_>| {
        let handler = |identity: Option<Identity>| async move {
            identity.map(|identity| identity.user).unwrap_or_default()
        };
        Router::new().route("/", get(handler)).layer(layer)
    };
    let apps = [app(AuthLayer::new(validator.clone())), app(AuthLayer::new(validator.clone()).optional())];
    let old = server.issue().await;
    let bearer = format!("Bearer {}", secret(&old));
    assert!(check(&validator, secret(&old), Anonymous::Refused).await.unwrap().is_allowed());
    assert!(check(&batcher, secret(&old), Anonymous::Refused).await.unwrap().is_allowed());
    server.kill();
    for _ in 0..2 {
        for anonymous in [Anonymous::Refused, Anonymous::Allowed] {
            assert_eq!(check(&validator, secret(&old), anonymous).await, None);
            assert_eq!(check(&batcher, secret(&old), anonymous).await, None);
        }
        for app in &apps {
            let (response, _) = support::get(app, "/", &[("Authorization", &bearer)]).await;
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(response.headers()["retry-after"], "1");
            assert!(!response.headers().contains_key("www-authenticate"));
        }
        let issued = admin.issue("alice", IP, &TokenFields::default()).await;
        assert!(matches!(issued, Err(CallError::Unavailable(_))), "{issued:?}");
        let revoked = admin.revoke_all("alice", None).await;
        assert!(matches!(revoked, Err(CallError::Unavailable(_))), "{revoked:?}");
    }
    server.start_again();
    // The embedded store has forgotten the token, so now it is really invalid.
    let verdict = check(&validator, secret(&old), Anonymous::Refused).await.unwrap();
    assert_eq!(verdict.status(), StatusCode::UNAUTHORIZED);
    let new = server.issue().await;
    assert!(check(&validator, secret(&new), Anonymous::Refused).await.unwrap().is_allowed());
    assert!(check(&batcher, secret(&new), Anonymous::Refused).await.unwrap().is_allowed());
    let (response, body) =
        support::get(&apps[0], "/", &[("Authorization", &format!("Bearer {}", secret(&new)))]).await;
    assert_eq!((response.status(), &*body), (StatusCode::OK, "alice"));
}

#[tokio::test]
async fn a_store_that_is_down_is_unavailable_until_it_is_back() {
    let mut redis = Redis::start();
    let server = Server::start(&[("REDIS_URL", &redis.url())]);
    let (validator, admin, batcher) = (server.validator(), server.admin(), server.batcher());
    // Each part of the server connects to Redis by itself.
    let token = eventually(|| async { admin.issue("alice", IP, &TokenFields::default()).await.ok() }).await;
    let verdict = eventually(|| check(&validator, secret(&token), Anonymous::Refused)).await;
    assert!(verdict.is_allowed());
    redis.kill();
    // The token is in the near cache for a while.
    eventually(|| async {
        let verdict = check(&validator, secret(&token), Anonymous::Refused).await;
        verdict.as_ref().is_none_or(|verdict| !verdict.is_allowed()).then_some(())
    })
    .await;
    for anonymous in [Anonymous::Refused, Anonymous::Allowed] {
        assert_eq!(check(&validator, secret(&token), anonymous).await, None);
        assert_eq!(check(&batcher, secret(&token), anonymous).await, None);
    }
    let revoked = admin.revoke(&token.id).await;
    assert!(matches!(revoked, Err(CallError::Unavailable(_))), "{revoked:?}");
    // A forged token needs no store: it is refused all the same.
    let forged = check(&validator, "dw_made-up", Anonymous::Refused).await.unwrap();
    assert_eq!(forged.status(), StatusCode::UNAUTHORIZED);
    redis.start_again();
    assert!(eventually(|| check(&validator, secret(&token), Anonymous::Refused)).await.is_allowed());
    assert!(eventually(|| check(&batcher, secret(&token), Anonymous::Refused)).await.is_allowed());
}
