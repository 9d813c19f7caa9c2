//! Calls with an `Idempotency-Key`: sent again after a broken connection or a 503, and done once.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::StatusCode;
use doorward_client::{Admin, CallError, DeviceFields, Paging, TokenFields};

use crate::support::{FakeServer, IP, KEY, PATIENCE, Reply, Server, answer, secret};

const ISSUED: &str = r#"{"id":"abc","user":"alice","created_at":"2026-11-24T01:17:38.148Z","last_access":"2026-11-24T01:17:38.148Z","expires_at":"2026-11-24T01:17:38.148Z","is_active":true,"token":"dw_x"}"#;

fn admin(fake: &FakeServer) -> Admin {
    Admin::new(&fake.url, KEY).unwrap().with_timeout(PATIENCE)
}

/// Passes requests on to a server. The answers to those with these numbers are lost: their connections break.
fn relay(server: &Server, lost: &'static [usize]) -> FakeServer {
    let (address, count) = (server.admin_url.trim_start_matches("http://").to_owned(), AtomicUsize::new(0));
    FakeServer::start(move |_, request| {
        let answer = exchange(&address, request);
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        if lost.contains(&number) { Reply::Close } else { Reply::Answer(answer) }
    })
}

fn exchange(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let closing = request.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    stream.write_all(closing.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn keys(fake: &FakeServer) -> Vec<Option<String>> {
    let key = |request: &String| {
        let line = request.lines().find_map(|line| line.strip_prefix("idempotency-key: "));
        line.map(str::to_owned)
    };
    fake.requests().iter().map(key).collect()
}

fn busy(seconds: u32) -> Reply {
    answer(&format!("503 Service Unavailable\r\nretry-after: {seconds}"), "")
}

#[tokio::test]
async fn a_lost_issue_gives_one_token_with_a_good_secret() {
    let server = Server::start(&[]);
    let fake = relay(&server, &[1]);
    let admin = admin(&fake);
    let fields = TokenFields { auth_slug: Some("web".into()), set_cookie: true, ..TokenFields::default() };
    let issued = admin.issue("alice", IP, &fields).await.unwrap();
    let keys = keys(&fake);
    assert!(keys[0].is_some() && keys[0] == keys[1] && keys[2].is_some() && keys[2] != keys[0], "{keys:?}");
    let page = admin.tokens("alice", &Paging::default()).await.unwrap();
    assert_eq!(page.items.iter().map(|token| &token.id).collect::<Vec<_>>(), [&issued.id]);
    assert_eq!((issued.auth_slug.as_deref(), issued.set_cookie().len()), (Some("web"), 1));
    assert!(server.validator().check_token(secret(&issued)).await.unwrap().is_allowed());
}

#[tokio::test]
async fn a_lost_rotation_gives_a_good_secret() {
    let server = Server::start(&[]);
    let (issued, fake) = (server.issue().await, relay(&server, &[1]));
    let rotated = admin(&fake).rotate(&issued.id, false).await.unwrap();
    assert_eq!((fake.requests().len(), &rotated.id), (3, &issued.id));
    assert!(server.validator().check_token(secret(&rotated)).await.unwrap().is_allowed());
}

#[tokio::test]
async fn a_lost_creation_gives_a_device_key_that_can_log_in() {
    let server = Server::start(&[]);
    let fake = relay(&server, &[1]);
    let admin = admin(&fake);
    let device = admin.create_device("alice", "phone", &DeviceFields::default()).await.unwrap();
    assert_eq!(device.created, Some(true));
    let login_token = device.login_token.unwrap();
    let login = admin.device_login("phone", login_token.expose(), IP, &TokenFields::default()).await;
    assert_eq!(login.unwrap().device.as_deref(), Some("phone"));
    let found = admin.create_device("alice", "phone", &DeviceFields::default()).await.unwrap();
    assert_eq!((found.created, found.login_token), (Some(false), None));
}

#[tokio::test]
async fn a_recovery_is_not_recovered_without_an_end() {
    let server = Server::start(&[]);
    // The issue, its repeat, the rotation, and its repeat.
    let fake = relay(&server, &[1, 3]);
    let issued = admin(&fake).issue("alice", IP, &TokenFields::default()).await;
    let Err(CallError::Refused(problem)) = issued else { panic!("{issued:?}") };
    assert_eq!((problem.status, &*problem.kind), (StatusCode::CONFLICT, "idempotency-replay"));
    assert!(problem.token_id.is_some());
    assert_eq!(fake.requests().len(), 4);
}

#[tokio::test]
async fn a_503_is_tried_again_once() {
    let fake =
        FakeServer::start(|number, _| if number == 0 { busy(0) } else { answer("201 Created", ISSUED) });
    let issued = admin(&fake).issue("alice", IP, &TokenFields::default()).await.unwrap();
    assert_eq!(secret(&issued), "dw_x");
    let [first, again] = &keys(&fake)[..] else { panic!("{:?}", fake.requests()) };
    assert!(first.is_some() && first == again);
    let fake = FakeServer::start(|_, _| busy(0));
    assert!(admin(&fake).issue("alice", IP, &TokenFields::default()).await.is_err());
    assert_eq!(fake.requests().len(), 2);
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_is_not_begun() {
    let fake = FakeServer::start(|_, _| busy(3600));
    let issued = admin(&fake).issue("alice", IP, &TokenFields::default()).await;
    assert!(matches!(issued, Err(CallError::Unavailable(error)) if error.retry_after().as_secs() == 3600));
    assert_eq!(fake.requests().len(), 1);
}

#[tokio::test]
async fn a_connection_that_always_breaks_is_unavailable() {
    let fake = FakeServer::start(|_, _| Reply::Close);
    let issued = admin(&fake).issue("alice", IP, &TokenFields::default()).await;
    assert!(matches!(issued, Err(CallError::Unavailable(_))), "{issued:?}");
    assert_eq!(fake.requests().len(), 2);
}

#[tokio::test]
async fn each_call_has_a_key_of_its_own() {
    let fake = FakeServer::start(|_, _| answer("201 Created", ISSUED));
    let admin = admin(&fake);
    for _ in 0..2 {
        admin.issue("alice", IP, &TokenFields::default()).await.unwrap();
    }
    admin.show("abc").await.unwrap();
    let [first, second, None] = &keys(&fake)[..] else { panic!("{:?}", fake.requests()) };
    assert_ne!(first, second);
}
