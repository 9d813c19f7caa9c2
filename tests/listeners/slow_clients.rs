//! Clients that send or read slowly delay no other client.

use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use doorward::system::Clock;
use serde_json::json;

use crate::common::http::Client;
use crate::common::server::{Server, assert_no_token, bearer, identity};

#[test]
fn slow_clients_delay_no_other_and_are_disconnected() {
    let server = Server::start(&[("DOORWARD_IDLE_TIMEOUT", "3s"), ("DOORWARD_VALIDATION_THREADS", "1")]);
    let token = server.issue(json!({}))["token"].clone();
    let started = |addr: &str| -> Client {
        let mut client = Client::new(addr);
        client.write("GET /auth HTTP/1.1\r\nHost: a\r\nX-A: ").unwrap();
        client
    };
    let mut slow: Vec<_> = (0..50).map(|_| started(server.listen())).collect();
    slow.push(started(server.admin_listen()));
    let mut client = server.validation();
    let mut answered = 0;
    let clock = Clock::system();
    let from_ms = clock.boottime_ms();
    // Single bytes must not keep a connection open beyond the idle timeout.
    while clock.boottime_ms() - from_ms < 3_500 {
        slow.iter_mut().for_each(|client| client.write("a").unwrap());
        assert_eq!(identity(&client.get("/auth", &[("Authorization", &bearer(&token))]))[0], "alice");
        answered += 1;
    }
    assert!(answered > 0, "no request was answered beside the slow ones");
    for client in &mut slow {
        // The server closes the connection, with or without a 408.
        match client.read_response(false) {
            Ok(response) => assert_eq!(response.status, 408, "{response:?}"),
            Err(error) => assert_ne!(error.kind(), ErrorKind::WouldBlock, "still connected"),
        }
    }
}

/// Bytes after a request must not delay its answer.
#[test]
fn a_partial_next_request_does_not_delay_the_answer() {
    let server = Server::start(&[]);
    for rest in ["G", "GET /auth HTTP/1.1\r\nHost: a\r\n", "\0", "\r\n"] {
        let mut client = server.validation();
        client.write(format!("GET /auth HTTP/1.1\r\nHost: a\r\n\r\n{rest}")).unwrap();
        assert_no_token(&client.read_response(false).unwrap());
    }
    // The missing body of a second request must not delay the first answer either.
    let (name, key) = crate::common::server::key();
    let mut client = server.admin();
    let waits =
        format!("POST /v1/tokens HTTP/1.1\r\nHost: a\r\n{name}: {key}\r\nContent-Type: application/json\r\n");
    client
        .write(format!("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n{waits}Content-Length: 9\r\n\r\n{{"))
        .unwrap();
    assert_eq!(client.read_response(false).unwrap().status, 200);
}

/// The server stops reading from a client that reads no answers, so that answers do not pile up.
#[test]
fn a_client_that_reads_no_answers_is_throttled() {
    const MUCH_BYTES: usize = 20_000_000;
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("validation.sock");
    let server = Server::start(&[("DOORWARD_LISTEN", &format!("unix:{}", socket.display()))]);
    let mut stream = UnixStream::connect(&socket).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let requests = "GET /auth HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1_000);
    let mut written = 0;
    while let Ok(count) = stream.write(requests.as_bytes()) {
        written += count;
        assert!(written < MUCH_BYTES, "{written} bytes of requests taken, no answer read");
    }
    assert_eq!(server.validation().get("/livez", &[]).status, 200, "others are not");
}
