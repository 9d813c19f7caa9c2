//! The layer over a node of this process, as in examples/in_process.rs.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::http::StatusCode;
use doorward::{Actor, Config, NewToken, Node};

use crate::in_process_example::{InProcess, app};
use crate::support;

#[tokio::test]
async fn a_node_of_this_process_checks_requests() {
    let node = Node::start(&Config::default()).await.unwrap();
    let validator = Arc::new(node.validator().await);
    let app = app(InProcess(validator));
    let login = NewToken::new("alice", Ipv4Addr::LOCALHOST.into());
    let issued = node.service().issue(login, Actor::Doorward).await.unwrap();
    let cookie = format!("doorward={}", str::from_utf8(issued.token_string.as_bytes()).unwrap());
    let (response, body) = support::get(&app, "/", &[("Cookie", &cookie)]).await;
    assert_eq!((response.status(), &*body), (StatusCode::OK, "Hello alice"));
    node.service().revoke_user_tokens("alice", None, Actor::Doorward).await.unwrap();
    for pairs in [&[][..], &[("Cookie", &*cookie)]] {
        let (response, _) = support::get(&app, "/", pairs).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
    drop(app);
    node.stop().await;
}
