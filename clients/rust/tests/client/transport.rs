//! Connections: kept, stale, slow, and given up.

use std::time::Duration;

use doorward_client::{Admin, CallError, Validator};
use tokio::task::JoinSet;

use crate::support::{FakeServer, KEY, PATIENCE, Reply, Server, alice, answer, secret};

fn validator(fake: &FakeServer) -> Validator {
    Validator::new(&fake.url).unwrap().with_timeout(PATIENCE)
}

fn admin(fake: &FakeServer) -> Admin {
    Admin::new(&fake.url, KEY).unwrap().with_timeout(PATIENCE)
}

/// Answers the first request of each connection and closes it at the second, like a server that has just shut down.
fn closes_at_the_second(number: usize, _: &str) -> Reply {
    if number == 0 { alice() } else { Reply::Close }
}

#[tokio::test]
async fn a_connection_is_kept() {
    let fake = FakeServer::start(|_, _| alice());
    let validator = validator(&fake);
    for _ in 0..10 {
        assert!(validator.check_token("dw_token").await.unwrap().is_allowed());
    }
    assert_eq!((fake.connections(), fake.requests().len()), (1, 10));
}

#[tokio::test]
async fn a_check_is_repeated_on_a_new_connection() {
    let fake = FakeServer::start(closes_at_the_second);
    let validator = validator(&fake);
    for _ in 0..3 {
        assert!(validator.check_token("dw_token").await.unwrap().is_allowed());
    }
    assert_eq!(fake.connections(), 3);
}

#[tokio::test]
async fn a_check_is_not_repeated_for_ever() {
    let fake = FakeServer::start(|_, _| Reply::Close);
    assert!(validator(&fake).check_token("dw_token").await.is_err());
    assert_eq!(fake.requests().len(), 1);
}

#[tokio::test]
async fn a_change_that_may_have_been_made_is_not_repeated() {
    // The first call succeeds, so that its connection is kept.
    let fake = FakeServer::start(|number, _| if number == 0 { answer("204 Done", "") } else { Reply::Close });
    let admin = admin(&fake);
    admin.revoke("abc").await.unwrap();
    let confirmed = admin.confirm("abc").await;
    assert!(matches!(confirmed, Err(CallError::Unavailable(_))), "{confirmed:?}");
    let sent = fake.requests().into_iter().filter(|request| request.starts_with("POST /v1/tokens"));
    assert_eq!(sent.count(), 1);
    // A revocation may be repeated.
    admin.revoke("abc").await.unwrap();
    admin.revoke("abc").await.unwrap();
}

#[tokio::test]
async fn closed_connections_are_replaced() {
    let fake = FakeServer::start(|_, _| alice());
    let validator = validator(&fake);
    for _ in 0..3 {
        assert!(validator.check_token("dw_token").await.unwrap().is_allowed());
        fake.close_connections();
    }
}

#[tokio::test]
async fn the_deadline_ends_a_check_and_its_connection() {
    let fake =
        FakeServer::start(|_, request| if request.contains("slow") { Reply::Silence } else { alice() });
    let patient = validator(&fake);
    assert!(patient.check_token("dw_token").await.unwrap().is_allowed());
    let hasty = patient.clone().with_timeout(Duration::from_millis(50));
    let error = hasty.check_token("slow").await.unwrap_err();
    assert!(error.to_string().contains("no answer within 50 ms"), "{error}");
    // No later request gets the late answer.
    assert!(patient.check_token("dw_token").await.unwrap().is_allowed());
    assert_eq!(fake.connections(), 2);
}

#[tokio::test]
async fn an_unreachable_server_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("unix:{}/nobody.sock", folder.path().display());
    assert!(Validator::new(&url).unwrap().check_token("dw_token").await.is_err());
}

#[tokio::test]
async fn more_checks_than_connections_wait() {
    let fake = FakeServer::start(|_, _| alice());
    let validator = validator(&fake);
    let mut checks = JoinSet::new();
    for _ in 0..500 {
        let validator = validator.clone();
        checks.spawn(async move { validator.check_token("dw_token").await.unwrap().is_allowed() });
    }
    assert!(checks.join_all().await.into_iter().all(|is_allowed| is_allowed));
    assert!(fake.connections() <= 100, "{}", fake.connections());
}

#[tokio::test]
async fn an_answer_that_is_too_long_or_not_http_is_unavailable() {
    for text in ["nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n"] {
        let fake = FakeServer::start(|_, _| Reply::Answer(text.to_owned()));
        assert!(validator(&fake).check_token("dw_token").await.is_err(), "{text}");
    }
}

#[tokio::test]
async fn unix_sockets_work() {
    let server = Server::on_unix_sockets(&[]);
    let token = server.issue().await;
    assert!(server.validator().check_token(secret(&token)).await.unwrap().is_allowed());
}

#[test]
fn a_client_outlives_its_runtime() {
    let server = Server::start(&[]);
    let (validator, batcher) = (server.validator(), server.batcher());
    for _ in 0..2 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let token = server.issue().await;
            assert!(validator.check_token(secret(&token)).await.unwrap().is_allowed());
            assert!(batcher.validate(secret(&token)).await.unwrap().is_some());
        });
    }
}
