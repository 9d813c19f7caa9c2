//! `https://` addresses: the server's certificate must come from a trusted authority and name the host.

use std::path::Path;
use std::process::Command;

use doorward_client::{Admin, Batcher, TokenFields, Validator};

use crate::support::{IP, KEY, PATIENCE, Server, secret};

/// Makes an authority, `ca.pem`, and a certificate for 127.0.0.1, `server.pem`, with openssl.
fn make_certificates(folder: &Path) {
    let key = "-nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1";
    for line in [
        format!("req -x509 -days 2 -subj /CN=authority -keyout ca.key -out ca.pem {key}"),
        format!(
            "req -subj /CN=server -addext subjectAltName=IP:127.0.0.1 -keyout server.key -out server.csr {key}"
        ),
        "x509 -req -days 2 -in server.csr -CA ca.pem -CAkey ca.key -copy_extensions copy -out server.pem"
            .to_owned(),
    ] {
        let output = Command::new("openssl").args(line.split(' ')).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test]
async fn both_planes_are_reached_by_tls() {
    let folder = tempfile::tempdir().unwrap();
    make_certificates(folder.path());
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (cert, key) = (file("server.pem"), file("server.key"));
    let server = Server::start(&[
        ("TLS_CERT", &cert),
        ("TLS_KEY", &key),
        ("ADMIN_TLS_CERT", &cert),
        ("ADMIN_TLS_KEY", &key),
    ]);
    let [url, admin_url] = [&server.url, &server.admin_url].map(|url| url.replace("http://", "https://"));
    let authority = std::fs::read(file("ca.pem")).unwrap();

    let admin =
        Admin::new(&admin_url, KEY).unwrap().with_authorities(&authority).unwrap().with_timeout(PATIENCE);
    let token = admin.issue("alice", IP, &TokenFields::default()).await.unwrap();
    let validator = Validator::new(&url).unwrap().with_timeout(PATIENCE);
    let trusting = validator.clone().with_authorities(&authority).unwrap();
    for _ in 0..3 {
        let verdict = trusting.check_token(secret(&token)).await.unwrap();
        assert_eq!(verdict.identity().unwrap().user, "alice");
    }
    assert!(Batcher::new(admin).validate(secret(&token)).await.unwrap().is_some());

    let untrusted = validator.check_token(secret(&token)).await.unwrap_err();
    assert!(untrusted.to_string().contains("certificate"), "{untrusted}");
    let elsewhere = url.replace("127.0.0.1", "localhost");
    let elsewhere = Validator::new(&elsewhere).unwrap().with_authorities(&authority).unwrap();
    assert!(elsewhere.check_token(secret(&token)).await.is_err(), "the certificate does not name localhost");
}

#[test]
fn authorities_are_for_https_and_in_pem() {
    let https = || Validator::new("https://127.0.0.1:1").unwrap();
    for bad in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(https().with_authorities(bad.as_bytes()).is_err(), "{bad}");
    }
    assert!(Validator::new("http://127.0.0.1:1").unwrap().with_authorities(b"").is_err());
}
