//! The code of docs/applications.md for axum, with the headers that a proxy and a forger send.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use doorward_client::Identity;

use crate::support;

// The code of docs/applications.md.
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};

const PROXY_SECRET: &str = "of the proxy";

async fn proxy_headers(mut request: Request, next: Next) -> Response {
    let sent = request.headers().get("x-proxy-secret").map_or(&b""[..], |secret| secret.as_bytes());
    if sent.is_empty() || !constant_time_eq::constant_time_eq(sent, PROXY_SECRET.as_bytes()) {
        return (StatusCode::FORBIDDEN, "not from the proxy").into_response();
    }
    let identity = Identity::from_headers(request.headers());
    Identity::attach(identity, request.extensions_mut());
    next.run(request).await
}
// The end of the code.

#[test]
fn the_document_shows_this_code() {
    let code = include_str!("behind_proxy.rs").split("async fn proxy_headers").nth(1).unwrap();
    let code = code.split("// The end of the code.").next().unwrap();
    assert!(include_str!("../../../../docs/applications.md").contains(code));
}

#[tokio::test]
async fn the_application_sees_the_user_that_the_proxy_names() {
    let handler = |identity: Identity| async move { identity.user };
    let app = Router::new().route("/", get(handler)).layer(from_fn(proxy_headers));
    let alice = [("X-Auth-User", "alice"), ("X-Auth-Token-Id", "abc")];
    let nobody = [("X-Auth-User", "-"), ("X-Auth-Token-Id", "-")];
    let secret = ("X-Proxy-Secret", PROXY_SECRET);
    let (_, body) = support::get(&app, "/", &[&alice[..], &[secret]].concat()).await;
    assert_eq!(body, "alice");
    for forged in [vec![], vec![("X-Proxy-Secret", "guessed")], vec![("X_Proxy_Secret", PROXY_SECRET)]] {
        let (response, _) = support::get(&app, "/", &[&alice[..], &forged].concat()).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{forged:?}");
    }
    // A header that comes twice names no user. Another spelling is another header.
    let spelled = [("X_Auth_User", "bob"), ("X_Auth_Token_Id", "x")];
    for pairs in [&nobody[..], &[("X-Auth-User", "bob"), alice[0], alice[1]], &spelled] {
        let (response, _) = support::get(&app, "/", &[pairs, &[secret]].concat()).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{pairs:?}");
    }
}
