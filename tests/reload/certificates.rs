//! Certificates: taken over with the other settings or refused with them.

use std::fs;

use serde_json::json;
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::support::{Files, api_key, issue_with, last_reload, names, reload, reload_well, sample};
use crate::common::http::Client;
use crate::common::server::{Server, assert_no_token};
use crate::common::tls::{Authority, Identity};

const ONE: &str = "one-key-of-the-reload-tests-0123456789";
const TWO: &str = "two-key-of-the-reload-tests-0123456789";
const HTTP_1: [&str; 1] = ["http/1.1"];

fn toml(identity: &Identity, key: &str) -> String {
    format!(
        "api-keys = [{:?}]\ntls-cert = {:?}\ntls-key = {:?}\n",
        api_key("login", "tokens", key),
        identity.cert(),
        identity.key()
    )
}

fn certificate(authority: &Authority, addr: &str) -> CertificateDer<'static> {
    let stream = authority.connect(addr, None, &HTTP_1).unwrap();
    stream.conn.peer_certificates().unwrap()[0].clone().into_owned()
}

/// Asserts that the certificate of both TLS listeners and the API key belong together.
fn assert_all_of(server: &Server, authority: &Authority, identity: &Identity, key: &str, other_key: &str) {
    for addr in [server.listen(), server.grpc_listen()] {
        let http2 = addr == server.grpc_listen();
        let protocols = if http2 { ["h2"] } else { HTTP_1 };
        let stream = authority.connect(addr, None, &protocols).unwrap();
        assert_eq!(stream.conn.peer_certificates().unwrap()[0], identity.der());
    }
    assert_eq!((issue_with(server, key).status, issue_with(server, other_key).status), (201, 401));
}

#[test]
fn new_connections_get_the_new_certificate() {
    let authority = Authority::new();
    let (first, second) = (authority.issue("first"), authority.issue("second"));
    let files = Files::new(&toml(&first, ONE));
    let mut server = files.start(&[("DOORWARD_GRPC_LISTEN", "127.0.0.1:0")]);
    let mut open = Client::over(authority.connect(server.listen(), None, &HTTP_1).unwrap());
    assert_no_token(&open.get("/auth", &[]));
    // Other files, by the settings.
    files.write("doorward.toml", &toml(&second, TWO));
    reload_well(&mut server);
    assert_all_of(&server, &authority, &second, TWO, ONE);
    assert_no_token(&open.get("/auth", &[]));
    server.wait_for_log(r#"changed="tls-cert,tls-key,api-keys""#);
    // These files with other contents, which are watched from now on.
    let third = authority.issue("third");
    second.replace_with(&third);
    reload_well(&mut server);
    assert_eq!(certificate(&authority, server.listen()), third.der());
    assert_no_token(&open.get("/auth", &[]));
    assert_eq!(open.connections(), 1);
}

#[test]
fn bad_certificates_are_refused_with_the_other_settings() {
    let authority = Authority::new();
    let (first, second, third) =
        (authority.issue("first"), authority.issue("second"), authority.issue("third"));
    let files = Files::new(&toml(&first, ONE));
    let mut server = files.start(&[("DOORWARD_GRPC_LISTEN", "127.0.0.1:0")]);
    let mut open = Client::over(authority.connect(server.listen(), None, &HTTP_1).unwrap());
    let half = |path: &str| fs::read_to_string(path).unwrap()[..200].to_owned();
    files.write("half.pem", &half(second.cert()));
    files.write("half.key", &half(second.key())[..100]);
    files.write("empty", "");
    let file = |name: &str| files.path(name);
    let bad = |cert: &std::path::Path, key: &std::path::Path| Identity { cert: cert.into(), key: key.into() };
    for (identity, setting, told) in [
        (bad(&file("half.pem"), &second.key), "tls-cert", "the file holds no certificate in PEM"),
        (bad(&second.cert, &file("half.key")), "tls-key", "the file holds no private key in PEM"),
        (bad(&second.cert, &file("empty")), "tls-key", "the file holds no private key in PEM"),
        (bad(&file("empty"), &second.key), "tls-cert", "the file holds no certificate in PEM"),
        (bad(&second.cert, &third.key), "tls-key", "is not the key of the certificate"),
        (bad(&second.cert, &file("nowhere")), "tls-key", "cannot read the file"),
    ] {
        files.write("doorward.toml", &toml(&identity, TWO));
        assert!(!reload(&mut server), "{told}: {}", server.log());
        assert_all_of(&server, &authority, &first, ONE, TWO);
        let told = format!(r#"setting="{setting}" origin="its file" problem="{told}"#);
        server.wait_for_log(&told);
        let last = last_reload(&server);
        assert_eq!((&last["successful"], names(&last["mistakes"])), (&json!(false), vec![setting]), "{told}");
    }
    assert_eq!(sample(&server, "doorward_config_last_reload_successful"), Some(0.0));
    // Without the key's setting.
    files.write("doorward.toml", &format!("tls-cert = {:?}\n", second.cert()));
    assert!(!reload(&mut server));
    assert_eq!(names(&last_reload(&server)["mistakes"]), ["tls-key"]);
    // A good certificate beside another mistake.
    files.write("doorward.toml", &toml(&second, TWO).replace(":tokens:", ":nothing:"));
    assert!(!reload(&mut server));
    assert_all_of(&server, &authority, &first, ONE, TWO);

    files.write("doorward.toml", &toml(&second, TWO));
    reload_well(&mut server);
    assert_all_of(&server, &authority, &second, TWO, ONE);
    assert_no_token(&open.get("/auth", &[]));
    let key = fs::read_to_string(&second.key).unwrap();
    assert!(!server.log().contains(key.lines().nth(1).unwrap()));
}

#[test]
fn tls_is_turned_on_and_off_by_a_restart_only() {
    let authority = Authority::new();
    let identity = authority.issue("server");
    let files = Files::new(&format!("api-keys = [{:?}]\n", api_key("login", "tokens", ONE)));
    let mut server = files.start(&[]);
    files.write("doorward.toml", &toml(&identity, TWO));
    reload_well(&mut server);
    assert_no_token(&server.validation().get("/auth", &[]));
    assert_eq!((issue_with(&server, ONE).status, issue_with(&server, TWO).status), (401, 201));
    assert_eq!(names(&last_reload(&server)["needs_restart"]), ["tls-cert", "tls-key"]);
}
