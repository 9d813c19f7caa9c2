//! TLS on both planes and gRPC: handshakes, client certificates, reloaded certificates.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::common::http::{Client, request_bytes};
use crate::common::process::{DEADLINE_MS, wait_for};
use crate::common::server::{ADMIN_KEY, Server, assert_no_token, bearer, identity, key, run};
use crate::common::tls::{Authority, Identity, TlsStream};

const HTTP_1: [&str; 1] = ["http/1.1"];

/// Starts a server whose validation plane and gRPC listener use TLS.
fn start(identity: &Identity, more: &[(&str, &str)]) -> Server {
    let tls = [
        ("DOORWARD_TLS_CERT", identity.cert()),
        ("DOORWARD_TLS_KEY", identity.key()),
        ("DOORWARD_GRPC_LISTEN", "127.0.0.1:0"),
    ];
    Server::start(&[&tls[..], more].concat())
}

fn server_certificate(stream: &TlsStream) -> CertificateDer<'static> {
    stream.conn.peer_certificates().unwrap()[0].clone().into_owned()
}

/// A client may announce a long handshake message, and a server buffers what has arrived of it.
#[test]
fn an_oversized_client_hello_is_rejected() {
    let authority = Authority::new();
    let server = start(&authority.issue("server"), &[]);
    let mut stream = TcpStream::connect(server.listen()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(DEADLINE_MS))).unwrap();
    // The beginning of a ClientHello of 65,535 bytes, in records of 16 KiB.
    let record = [&b"\x16\x03\x01\x40\x00"[..], &[0; 0x4000]].concat();
    let mut hello = record.repeat(3);
    hello[5..11].copy_from_slice(b"\x01\x00\xff\xff\x03\x03");
    // The server may close the connection before all of it is sent.
    let _ = stream.write_all(&hello);
    let revoked = stream.read(&mut [0; 1]);
    let is_open = |error: &std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
    assert!(!revoked.as_ref().is_err_and(is_open) && !matches!(revoked, Ok(1..)), "{revoked:?}");
    assert!(authority.connect(server.listen(), None, &HTTP_1).is_ok());
}

#[test]
fn a_tls_validation_plane_rejects_plain_http() {
    let authority = Authority::new();
    let identity_files = authority.issue("server");
    let server = start(&identity_files, &[]);
    let authorization = bearer(&server.issue(json!({}))["token"]);
    let headers = [("authorization", &*authorization)];

    for protocols in [&HTTP_1[..], &[]] {
        let stream = authority.connect(server.listen(), None, protocols).unwrap();
        assert_eq!(stream.conn.alpn_protocol(), protocols.first().map(|protocol| protocol.as_bytes()));
        let mut client = Client::over(stream);
        for _ in 0..3 {
            assert_eq!(identity(&client.get("/auth", &headers))[0], "alice");
            assert_no_token(&client.get("/auth", &[]));
        }
        assert_eq!(client.get("/session", &headers).json()["user"], "alice");
        // More answers than fit into one TLS record, to a client that reads late.
        let request = request_bytes("GET", "/auth", &headers, None);
        let requests = 400;
        for _ in 0..requests {
            client.write(&request).unwrap();
        }
        for _ in 0..requests {
            identity(&client.read_response(false).unwrap());
        }
        assert_eq!(client.connections(), 1);
    }
    let mut client = authority.connect_http2(server.listen()).unwrap();
    assert_eq!(identity(&client.request("POST", "/auth/x", &headers))[0], "alice");
    let mut grpc = authority.connect_http2(server.grpc_listen()).unwrap();
    assert_eq!(grpc.request("GET", "/auth", &headers).status, 415, "it is gRPC's");
    assert!(authority.connect(server.grpc_listen(), None, &HTTP_1).is_err(), "HTTP/2 only");

    assert!(Client::new(server.listen()).try_send("GET /auth HTTP/1.1\r\nHost: a\r\n\r\n").is_err());
    assert!(Authority::new().connect(server.listen(), None, &HTTP_1).is_err(), "of another authority");
    assert_no_token(
        &Client::over(authority.connect(server.listen(), None, &HTTP_1).unwrap()).get("/auth", &[]),
    );

    let healthcheck = |more: &[(&str, &str)]| {
        let settings = [&[("DOORWARD_LISTEN", server.listen())], more].concat();
        run(&["healthcheck"], &settings).wait().code()
    };
    let tls = [("DOORWARD_TLS_CERT", identity_files.cert()), ("DOORWARD_TLS_KEY", identity_files.key())];
    assert_eq!((healthcheck(&tls), healthcheck(&[])), (Some(0), Some(1)));
}

#[test]
fn the_admin_plane_requires_a_client_certificate() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let identity_files = authority.issue("server");
    let client_ca = clients.cert();
    let settings = [
        ("DOORWARD_ADMIN_TLS_CERT", identity_files.cert()),
        ("DOORWARD_ADMIN_TLS_KEY", identity_files.key()),
        ("DOORWARD_ADMIN_CLIENT_CA", client_ca.to_str().unwrap()),
    ];
    let server = Server::start(&settings);
    // The validation plane still works.
    assert_no_token(&server.validation().get("/auth", &[]));
    let known = clients.issue("login-service");
    let mut client = Client::over(authority.connect(server.admin_listen(), Some(&known), &HTTP_1).unwrap());
    let body = json!({"user": "alice", "ip": "::1"});
    let issued = client.request("POST", "/v1/tokens", &[key()], Some(&body));
    assert_eq!(issued.status, 201);
    identity(&server.auth(&issued.json()["token"]));
    assert_eq!(client.get("/v1/users/alice/tokens", &[]).status, 401, "the API key is required as well");

    let stranger = authority.issue("stranger");
    for identity in [None, Some(&stranger)] {
        // In TLS 1.3, a client learns of the refusal with its first answer.
        let refused = authority
            .connect(server.admin_listen(), identity, &HTTP_1)
            .and_then(|stream| Client::over(stream).try_send("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(refused.is_err(), "{refused:?}");
    }
    assert!(Client::new(server.admin_listen()).try_send("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").is_err());
}

#[test]
fn certificates_are_replaced_without_a_restart() {
    let authority = Authority::new();
    let (files, second, third) =
        (authority.issue("first"), authority.issue("second"), authority.issue("third"));
    let mut server = start(&files, &[]);
    let current = || server_certificate(&authority.connect(server.listen(), None, &HTTP_1).unwrap());
    let first = files.der();
    let old = authority.connect(server.listen(), None, &HTTP_1).unwrap();
    assert_eq!(server_certificate(&old), first);
    let mut old = Client::over(old);

    files.replace_with(&second);
    wait_for("the second certificate", || (current() == second.der()).then_some(()));
    assert_no_token(&old.get("/auth", &[]));

    // Mismatched or invalid files are logged and not used.
    fs::copy(&third.key, &files.key).unwrap();
    wait_for("a word on the key", || {
        server.log().contains("tls-key: is not the key of the certificate").then_some(())
    });
    fs::write(&files.cert, "nonsense").unwrap();
    wait_for("a word on the certificate", || {
        server.log().contains("tls-cert: the file holds no certificate in PEM").then_some(())
    });
    fs::remove_file(&files.cert).unwrap();
    wait_for("a word on the file", || server.log().contains("tls-cert: cannot read the file").then_some(()));
    assert_eq!(current(), second.der());

    files.replace_with(&third);
    server.process().signal(Signal::HUP);
    let current = || server_certificate(&authority.connect(server.listen(), None, &HTTP_1).unwrap());
    wait_for("the third certificate", || (current() == third.der()).then_some(()));
    assert!(authority.connect_http2(server.grpc_listen()).is_ok());
    let key = fs::read_to_string(&files.key).unwrap();
    let secret = key.lines().nth(1).unwrap();
    assert!(!server.log().contains(secret));
    assert!(server.terminate().success());
}

#[test]
fn client_authorities_are_replaced_without_a_restart() {
    let (authority, before, after) = (Authority::new(), Authority::new(), Authority::new());
    let files = authority.issue("server");
    let client_ca = before.cert();
    let settings = [
        ("DOORWARD_ADMIN_TLS_CERT", files.cert()),
        ("DOORWARD_ADMIN_TLS_KEY", files.key()),
        ("DOORWARD_ADMIN_CLIENT_CA", client_ca.to_str().unwrap()),
    ];
    let server = Server::start(&settings);
    let (old, new) = (before.issue("old"), after.issue("new"));
    let passes = |identity: &Identity| {
        authority
            .connect(server.admin_listen(), Some(identity), &HTTP_1)
            .and_then(|stream| Client::over(stream).try_send("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"))
            .is_ok_and(|response| response.status == 200)
    };
    assert_eq!((passes(&old), passes(&new)), (true, false));
    fs::copy(after.cert(), &client_ca).unwrap();
    let second = authority.issue("second");
    files.replace_with(&second);
    wait_for("the new authority counts", || passes(&new).then_some(()));
    wait_for("the second certificate", || {
        let stream = authority.connect(server.admin_listen(), Some(&new), &HTTP_1).unwrap();
        (server_certificate(&stream) == second.der()).then_some(())
    });
    assert!(!passes(&old));
}

#[test]
fn a_pending_handshake_delays_neither_clients_nor_the_shutdown() {
    let authority = Authority::new();
    let settings = [("DOORWARD_VALIDATION_THREADS", "1"), ("DOORWARD_DRAIN_TIMEOUT", "1h")];
    let mut server = start(&authority.issue("server"), &settings);
    let mut silent: Vec<_> = (0..20).map(|_| TcpStream::connect(server.listen()).unwrap()).collect();
    // A partial ClientHello.
    silent[0].write_all(b"\x16\x03\x01\x02\x00\x01").unwrap();
    silent[1].write_all(b"GET /auth HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut client = Client::over(authority.connect(server.listen(), None, &HTTP_1).unwrap());
    assert_no_token(&client.get("/auth", &[]));
    server.process().signal(Signal::TERM);
    assert!(server.process().wait().success(), "the server stops long before the drain timeout");
    let mut rest = Vec::new();
    let _ = silent[2].read_to_end(&mut rest);
    assert!(rest.is_empty());
}

#[test]
fn a_slow_handshake_is_aborted() {
    let authority = Authority::new();
    let server = start(&authority.issue("server"), &[("DOORWARD_IDLE_TIMEOUT", "300ms")]);
    let mut silent = TcpStream::connect(server.listen()).unwrap();
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
}

#[test]
fn unusable_tls_files_fail_the_start() {
    let authority = Authority::new();
    let (one, other) = (authority.issue("one"), authority.issue("other"));
    let nowhere = authority.path("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    let (cert, admin_cert) = ("DOORWARD_TLS_CERT", "DOORWARD_ADMIN_TLS_CERT");
    let (tls_key, admin_key) = ("DOORWARD_TLS_KEY", "DOORWARD_ADMIN_TLS_KEY");
    for (settings, told) in [
        (vec![(cert, nowhere), (tls_key, one.key())], "tls-cert: cannot read the file"),
        (vec![(cert, one.cert()), (tls_key, nowhere)], "tls-key: cannot read the file"),
        (vec![(cert, one.key()), (tls_key, one.key())], "tls-cert: the file holds no certificate"),
        (vec![(cert, one.cert()), (tls_key, one.cert())], "tls-key: the file holds no private key"),
        (vec![(cert, one.cert()), (tls_key, other.key())], "tls-key: is not the key of the certificate"),
        (
            vec![(admin_cert, one.cert()), (admin_key, one.key()), ("DOORWARD_ADMIN_CLIENT_CA", one.key())],
            "admin-client-ca: the file holds no certificate",
        ),
        (vec![(cert, one.cert())], "tls-key (default): is missing"),
        (vec![(admin_key, one.key())], "admin-tls-cert (default): is missing"),
        (vec![("DOORWARD_ADMIN_CLIENT_CA", one.cert())], "admin-tls-cert (default): is missing"),
    ] {
        let defaults = [
            ("DOORWARD_LISTEN", "127.0.0.1:0"),
            ("DOORWARD_ADMIN_LISTEN", "127.0.0.1:0"),
            ("DOORWARD_ADMIN_KEY", ADMIN_KEY),
        ];
        let settings = [&defaults[..], &settings].concat();
        for args in [&["check-config"][..], &[]] {
            let mut process = run(args, &settings);
            assert_eq!(process.wait().code(), Some(78), "{told}");
            assert!(process.stderr().contains(told), "{told}: {}", process.stderr());
        }
    }
    let good = [(cert, one.cert()), (tls_key, one.key())];
    assert!(run(&["check-config"], &good).wait().success());
}

#[test]
fn the_ready_line_shows_the_schemes() {
    let authority = Authority::new();
    let files = authority.issue("server");
    let server = start(&files, &[("DOORWARD_ADMIN_KEY", ""), ("DOORWARD_LOG_FORMAT", "text")]);
    let printed = server.log();
    assert!(printed.contains(&format!("https://{}/auth", server.listen())), "{printed}");
    assert!(printed.contains(&format!("http://{}/v1/tokens", server.admin_listen())), "{printed}");
}
