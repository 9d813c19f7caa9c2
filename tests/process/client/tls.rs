//! Commands against an admin plane with TLS.

use crate::common::server::{ADMIN_KEY, Server};
use crate::common::tls::Authority;
use crate::process::outcome::outcome;

#[test]
fn the_authority_and_the_client_certificate_are_flags_and_variables() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (server_cert, client_cert) = (authority.issue("server"), authority.issue("client"));
    let (ca, other_ca) = (authority.cert(), stranger.cert());
    let (ca, other_ca) = (ca.to_str().unwrap(), other_ca.to_str().unwrap());
    let server = Server::start(&[
        ("DOORWARD_ADMIN_TLS_CERT", server_cert.cert()),
        ("DOORWARD_ADMIN_TLS_KEY", server_cert.key()),
        ("DOORWARD_ADMIN_CLIENT_CA", ca),
    ]);
    let url = format!("https://{}", server.admin_listen());
    let list = |args: &[&str], settings: &[(&str, &str)]| {
        let basic = [("DOORWARD_ADMIN_URL", &*url), ("DOORWARD_ADMIN_KEY", ADMIN_KEY)];
        outcome(&[&["user", "tokens", "alice", "--json"], args].concat(), &[&basic, settings].concat())
    };
    let identity = ["--admin-client-cert", client_cert.cert(), "--admin-client-key", client_cert.key()];
    let (code, stdout, stderr) = list(&[&["--admin-ca-file", ca], &identity[..]].concat(), &[]);
    assert_eq!((code, stdout.as_str()), (0, "[]\n"), "{stderr}");
    let variables = [
        ("DOORWARD_ADMIN_CA_FILE", ca),
        ("DOORWARD_ADMIN_CLIENT_CERT", client_cert.cert()),
        ("DOORWARD_ADMIN_CLIENT_KEY", client_cert.key()),
    ];
    assert_eq!(list(&[], &variables).0, 0);

    // Another authority, and none: the key is not sent to a stranger.
    for args in [&["--admin-ca-file", other_ca][..], &[]] {
        let (code, _, stderr) = list(&[args, &identity[..]].concat(), &[]);
        assert_eq!(code, 1, "{stderr}");
        assert!(stderr.contains("TLS handshake failed") && stderr.contains("--admin-ca-file"), "{stderr}");
    }
    let (code, _, stderr) = list(&["--admin-ca-file", ca], &[]);
    assert!(code == 1 && stderr.contains("unreachable"), "without a client certificate: {stderr}");
    let plain = format!("http://{}", server.admin_listen());
    let (code, _, stderr) = list(&["--admin-url", &plain], &[]);
    assert!(code == 1 && stderr.contains("does the admin plane use TLS"), "{stderr}");
    // Files that hold no certificate, or only half of the pair.
    for args in [&["--admin-ca-file", client_cert.key()][..], &["--admin-client-cert", client_cert.cert()]] {
        let (code, _, stderr) = list(args, &[]);
        assert!(code == 78 && stderr.lines().count() == 1, "{args:?}: {stderr}");
    }
}
