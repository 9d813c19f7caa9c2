//! The layer and the extractors in real axum.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use doorward_client::{
    Anonymous, AuthLayer, Checker, ClientRequest, Identity, Refusal, Unavailable, Validator, Verdict,
};

use crate::support::{self, FakeServer, PATIENCE, Server, alice, secret};

async fn user(identity: Identity) -> String {
    identity.user
}

async fn maybe_user(identity: Option<Identity>) -> String {
    identity.map_or("nobody".to_owned(), |identity| identity.user)
}

fn routes() -> Router {
    Router::new().route("/user", get(user)).route("/maybe", get(maybe_user))
}

#[tokio::test]
async fn only_requests_with_a_valid_token_pass() {
    let server = Server::start(&[]);
    let token = server.issue().await;
    let bearer = format!("Bearer {}", secret(&token));
    let required = routes().layer(AuthLayer::new(server.validator()));
    let batched = routes().layer(AuthLayer::new(server.batcher()));
    for app in [required, batched] {
        for path in ["/user", "/maybe"] {
            let (response, body) = support::get(&app, path, &[("Authorization", &bearer)]).await;
            assert_eq!((response.status(), &*body), (StatusCode::OK, "alice"));
            for (pairs, challenge) in [
                (&[][..], r#"Bearer realm="doorward""#),
                (&[("Authorization", "Bearer no")], r#"Bearer realm="doorward", error="invalid_token""#),
            ] {
                let (response, body) = support::get(&app, path, pairs).await;
                assert_eq!((response.status(), &*body), (StatusCode::UNAUTHORIZED, ""));
                assert_eq!(response.headers()["www-authenticate"], challenge);
                assert_eq!(response.headers()["cache-control"], "no-store");
            }
        }
    }
}

#[tokio::test]
async fn anonymous_requests_pass_an_optional_layer() {
    let server = Server::start(&[]);
    let bearer = format!("Bearer {}", secret(&server.issue().await));
    let app = routes().layer(AuthLayer::new(server.validator()).optional());
    let (_, body) = support::get(&app, "/maybe", &[("Authorization", &bearer)]).await;
    assert_eq!(body, "alice");
    for pairs in [&[][..], &[("Authorization", "Bearer no")]] {
        let (response, body) = support::get(&app, "/maybe", pairs).await;
        assert_eq!((response.status(), &*body), (StatusCode::OK, "nobody"));
        // A handler may demand a user.
        let (response, _) = support::get(&app, "/user", pairs).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert!(response.headers().contains_key("www-authenticate"));
    }
}

#[tokio::test]
async fn a_route_without_a_layer_is_a_mistake_that_shows() {
    let app = routes();
    for path in ["/user", "/maybe"] {
        let (response, body) =
            support::get(&app, path, &[("X-Auth-User", "alice"), ("X-Auth-Token-Id", "x")]).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(body.contains("AuthLayer"), "{body}");
    }
}

/// A checker of an application, which knows one token and records each request.
#[derive(Clone, Default)]
struct Own(Arc<Mutex<Vec<String>>>);

impl Checker for Own {
    async fn check(&self, request: &ClientRequest<'_>, _: Anonymous) -> Result<Verdict, Unavailable> {
        self.0.lock().unwrap().push(format!("{:?} {} {:?}", request.client, request.scheme, request.host));
        match request.headers.get("authorization").map(|value| value.as_bytes()) {
            Some(b"Bearer good") => Ok(Verdict::Allowed(Some(Identity::new("carol", "id")))),
            Some(b"Bearer slow") => Err(Unavailable::new("a test")),
            _ => Ok(Verdict::Refused(Refusal::invalid_token())),
        }
    }
}

#[tokio::test]
async fn a_layer_takes_a_checker_of_the_application() {
    let own = Own::default();
    let app = routes().layer(AuthLayer::new(own.clone()).https().client_ip(|_| Some(support::IP)));
    for (token, status) in [("good", 200), ("bad", 401), ("slow", 503)] {
        let pairs = [("Authorization", &*format!("Bearer {token}")), ("Host", "shop.example")];
        assert_eq!(support::get(&app, "/user", &pairs).await.0.status(), status);
    }
    assert_eq!(own.0.lock().unwrap()[0], r#"Some(203.0.113.7) https Some("shop.example")"#);
}

#[tokio::test]
async fn the_inner_layer_decides_who_the_user_is() {
    let fake = FakeServer::start(|_, _| alice());
    let validator = Validator::new(&fake.url).unwrap().with_timeout(PATIENCE);
    let app = routes().layer(AuthLayer::new(validator)).layer(AuthLayer::new(Own::default()));
    let (_, body) = support::get(&app, "/user", &[("Authorization", "Bearer good")]).await;
    assert_eq!(body, "alice");
}
