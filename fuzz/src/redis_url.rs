//! An accepted `redis-url` prints and parses back, names what the redis crate reads from it, and shows no password.

use std::net::IpAddr;

use doorward::internals::values::{RedisDeployment, RedisUrl, SecretString};
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _};

/// Must appear in no error.
const SECRET: &str = "hunter2";

/// Checks the bytes as the text of a URL.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let url = match RedisUrl::parse(text) {
        Ok(url) => url,
        Err(problem) => return assert!(!problem.contains(SECRET), "{problem}"),
    };
    let shown = url.to_string();
    let mut expected = url.clone();
    if let Some(password) = &mut expected.password {
        *password = SecretString::new("***");
    }
    assert_eq!(RedisUrl::parse(&shown).as_ref(), Ok(&expected), "{shown}");
    // The crate's parser drops control characters and outer spaces, also in a password.
    let is_clean = !text.contains(char::is_control) && text.trim() == text;
    if let (RedisDeployment::Standalone { server, tls }, true) = (&url.deployment, is_clean)
        && let Ok(info) = text.into_connection_info()
    {
        assert!(is_same_host(&server.host, &info) && server.port == port(&info), "{info:?}");
        assert_eq!(*tls, matches!(info.addr(), ConnectionAddr::TcpTls { .. }));
        let login = info.redis_settings();
        let given = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        assert_eq!(url.username, given(login.username()));
        assert_eq!(
            url.password.as_ref().map(|password| password.expose().to_owned()),
            given(login.password())
        );
        assert_eq!(i64::from(url.db), login.db());
    }
}

fn is_same_host(host: &str, info: &ConnectionInfo) -> bool {
    let (ConnectionAddr::Tcp(other, _) | ConnectionAddr::TcpTls { host: other, .. }) = info.addr() else {
        return false;
    };
    let address = |host: &str| host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    host.eq_ignore_ascii_case(other)
        || address(host).is_some_and(|address_of| address(other) == Some(address_of))
}

fn port(info: &ConnectionInfo) -> u16 {
    match info.addr() {
        ConnectionAddr::Tcp(_, port) | ConnectionAddr::TcpTls { port, .. } => *port,
        _ => 0,
    }
}
