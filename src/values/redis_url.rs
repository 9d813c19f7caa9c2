//! The URL of a Redis: one server, a unix socket, a Cluster, or servers found by Sentinel.
//!
//! ```text
//! redis://[user:password@]host[:port][/db]        rediss:// the same over TLS
//! redis+unix:///path[?db=1&username=u&password=p]
//! redis+cluster://[user:password@]host[:port],host[:port]…[/]
//! redis+sentinel://[user:password@]host[:port],host[:port]…/master-name[/db]
//! ```
//!
//! User, password, path and master name are percent-encoded UTF-8 (RFC 3986); an IPv6 address stands in
//! brackets. With Sentinel, user and password are those of the Redis servers.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::secret_string::SecretString;

const REDIS_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;
/// A longer list of nodes is a mistake: a few are enough to find the rest.
const MAX_NODES: usize = 64;
/// A DNS name has at most this many characters (RFC 1035 section 2.3.4).
const MAX_HOST_BYTES: usize = 253;
/// Encoded in a part that is shown: all but RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same for a path.
const ENCODED_IN_PATH: &AsciiSet = &ENCODED.remove(b'/');

/// A Redis and how to log in to it. Neither `Debug` nor `Display` shows the password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    /// Which servers.
    pub topology: Topology,
    /// The ACL user; Redis's `default` when there is none.
    pub username: Option<String>,
    /// The password.
    pub password: Option<SecretString>,
    /// The number of the database; always 0 on a Cluster.
    pub db: u16,
}

/// Which servers a [`RedisUrl`] names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topology {
    /// One server.
    Standalone {
        /// Its address.
        node: Node,
        /// Whether to speak TLS.
        tls: bool,
    },
    /// One server behind a unix socket.
    Unix {
        /// The socket.
        path: PathBuf,
    },
    /// A Redis Cluster.
    Cluster {
        /// Nodes to ask for the others; at least one.
        nodes: Vec<Node>,
    },
    /// The master that Sentinels name.
    Sentinel {
        /// The Sentinels; at least one.
        nodes: Vec<Node>,
        /// The master's name.
        master: String,
    },
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// A name or an IP address; an IPv6 address without its brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

type Login = (Option<String>, Option<SecretString>);

impl RedisUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, as the rest of a sentence that starts with "the value"; never a part of the
    /// value itself, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or_else(unknown_scheme)?;
        if rest.contains('#') {
            return Err("has a #: in a user or password it is written %23".into());
        }
        let scheme = scheme.to_ascii_lowercase();
        if scheme == "redis+unix" {
            return Self::unix(rest);
        }
        if rest.contains('?') {
            return Err("has a ?: in a user or password it is written %3F".into());
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (userinfo, hosts) = match authority.rsplit_once('@') {
            Some((userinfo, hosts)) => (Some(userinfo), hosts),
            None => (None, authority),
        };
        let (username, password) = userinfo.map_or(Ok((None, None)), login)?;
        let (topology, db) = match scheme.as_str() {
            "redis" => (Topology::Standalone { node: node(hosts, REDIS_PORT)?, tls: false }, database(path)?),
            "rediss" => (Topology::Standalone { node: node(hosts, REDIS_PORT)?, tls: true }, database(path)?),
            "redis+cluster" if path.is_empty() || path == "0" => {
                (Topology::Cluster { nodes: nodes(hosts, REDIS_PORT)? }, 0)
            }
            "redis+cluster" => return Err("has a database, but a Redis Cluster has only database 0".into()),
            "redis+sentinel" => {
                let (master, db) = path.split_once('/').unwrap_or((path, ""));
                let master = decode(master)?;
                if master.is_empty() {
                    return Err("has no master name, as in redis+sentinel://host:26379/master-name".into());
                }
                (Topology::Sentinel { nodes: nodes(hosts, SENTINEL_PORT)?, master }, database(db)?)
            }
            _ => return Err(unknown_scheme()),
        };
        Ok(Self { topology, username, password, db })
    }

    fn unix(rest: &str) -> Result<Self, String> {
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path = decode(path)?;
        if !path.starts_with('/') || path.contains('\0') {
            return Err("has no absolute path, as in redis+unix:///run/redis.sock".into());
        }
        let (mut username, mut password, mut db) = (None, None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(value)?;
            let earlier = match key {
                "db" => db.replace(database(&value)?).is_some(),
                "username" => username.replace(value).is_some(),
                "password" => password.replace(value).is_some(),
                _ => return Err("has something other than db, username and password after its ?".into()),
            };
            if earlier {
                return Err(format!("has {key} twice"));
            }
        }
        let (username, password) = checked_login(username, password)?;
        Ok(Self { topology: Topology::Unix { path: path.into() }, username, password, db: db.unwrap_or(0) })
    }
}

fn unknown_scheme() -> String {
    "does not start with redis://, rediss://, redis+unix://, redis+cluster:// or redis+sentinel://".into()
}

fn login(userinfo: &str) -> Result<Login, String> {
    let (username, password) = match userinfo.split_once(':') {
        Some((username, password)) => (username, Some(decode(password)?)),
        None => (userinfo, None),
    };
    checked_login(Some(decode(username)?), password)
}

fn checked_login(username: Option<String>, password: Option<String>) -> Result<Login, String> {
    let username = username.filter(|username| !username.is_empty());
    let password = password.filter(|password| !password.is_empty());
    if username.is_some() && password.is_none() {
        return Err("has a user without a password; a password alone is written :password@".into());
    }
    Ok((username, password.map(SecretString::new)))
}

fn decode(text: &str) -> Result<String, String> {
    let bytes = text.as_bytes();
    let is_hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    // The library passes a stray % through, which would be a wrong password with no one told.
    if (0..bytes.len()).any(|at| bytes[at] == b'%' && !(is_hex(at + 1) && is_hex(at + 2))) {
        return Err("has a % without two hex digits after it: a % itself is written %25".into());
    }
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err("has percent-encoded bytes that are not UTF-8".into()),
    }
}

fn database(text: &str) -> Result<u16, String> {
    if text.is_empty() {
        return Ok(0);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("has a database that is not a number".into());
    }
    text.parse().map_err(|_| "has a database number that is too large".to_owned())
}

fn nodes(text: &str, default_port: u16) -> Result<Vec<Node>, String> {
    if text.split(',').count() > MAX_NODES {
        return Err(format!("names more than {MAX_NODES} hosts"));
    }
    text.split(',').map(|text| node(text, default_port)).collect()
}

fn node(text: &str, default_port: u16) -> Result<Node, String> {
    let bad_host = || {
        "has a bad host; in a user or password write @ as %40, / as %2F and : as %3A, \
         and an IPv6 address in brackets"
            .to_owned()
    };
    let (host, port) = if let Some(text) = text.strip_prefix('[') {
        let (host, port) = text.split_once(']').ok_or_else(bad_host)?;
        host.parse::<Ipv6Addr>().map_err(|_| bad_host())?;
        match port.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if port.is_empty() => (host, None),
            None => return Err(bad_host()),
        }
    } else {
        let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
        let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if host.is_empty() || host.len() > MAX_HOST_BYTES || !host.bytes().all(is_host_byte) {
            return Err(bad_host());
        }
        (host, port)
    };
    let port = match port {
        None => default_port,
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            port.parse().ok().filter(|port| *port != 0).ok_or("has a port that is not from 1 to 65535")?
        }
        Some(_) => return Err("has a port that is not a number".into()),
    };
    Ok(Node { host: host.to_owned(), port })
}

/// The URL with `***` for the password.
impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.username.as_deref().map(|user| utf8_percent_encode(user, ENCODED).to_string());
        let login = match (&user, &self.password) {
            (user, Some(_)) => format!("{}:***@", user.as_deref().unwrap_or_default()),
            (_, None) => String::new(),
        };
        let list = |nodes: &[Node]| nodes.iter().map(Node::to_string).collect::<Vec<_>>().join(",");
        let db = self.db;
        match &self.topology {
            Topology::Standalone { node, tls } => {
                write!(f, "redis{}://{login}{node}/{db}", if *tls { "s" } else { "" })
            }
            Topology::Unix { path } => {
                let path = path.to_string_lossy();
                write!(f, "redis+unix://{}?db={db}", utf8_percent_encode(&path, ENCODED_IN_PATH))?;
                if let Some(user) = user {
                    write!(f, "&username={user}")?;
                }
                f.write_str(if self.password.is_some() { "&password=***" } else { "" })
            }
            Topology::Cluster { nodes } => write!(f, "redis+cluster://{login}{}/", list(nodes)),
            Topology::Sentinel { nodes, master } => {
                let master = utf8_percent_encode(master, NON_ALPHANUMERIC);
                write!(f, "redis+sentinel://{login}{}/{master}/{db}", list(nodes))
            }
        }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a URL is shown as; the form with all defaults filled in.
    fn shown(url: &str) -> String {
        RedisUrl::parse(url).unwrap_or_else(|e| panic!("{url}: {e}")).to_string()
    }

    #[test]
    fn every_form_is_read() {
        for (url, full) in [
            ("redis://host", "redis://host:6379/0"),
            ("redis://host/", "redis://host:6379/0"),
            ("REDIS://10.0.0.1:1/15", "redis://10.0.0.1:1/15"),
            ("redis://[::1]", "redis://[::1]:6379/0"),
            ("redis://:pw@[fe80::1]:7000/2", "redis://:***@[fe80::1]:7000/2"),
            ("rediss://user:pw@host_a.example:6380", "rediss://user:***@host_a.example:6380/0"),
            ("redis://u%40x:p@host", "redis://u%40x:***@host:6379/0"),
            ("redis://a%2Fb:p@host/1", "redis://a%2Fb:***@host:6379/1"),
            ("redis+unix:///run/redis.sock", "redis+unix:///run/redis.sock?db=0"),
            ("redis+unix:///a%20b?db=3&password=pw", "redis+unix:///a%20b?db=3&password=***"),
            ("redis+unix:///s?username=u&password=pw", "redis+unix:///s?db=0&username=u&password=***"),
            ("redis+cluster://a:1,b:2/", "redis+cluster://a:1,b:2/"),
            ("redis+cluster://u:pw@a,[::1]:2,c", "redis+cluster://u:***@a:6379,[::1]:2,c:6379/"),
            ("redis+sentinel://a,b:2/main", "redis+sentinel://a:26379,b:2/main/0"),
            ("redis+sentinel://:pw@a:1/m%2Fx/4", "redis+sentinel://:***@a:1/m%2Fx/4"),
        ] {
            assert_eq!(shown(url), full);
        }
    }

    #[test]
    fn the_parts_are_decoded_and_the_password_is_hidden() {
        let url = RedisUrl::parse("rediss://us%3Aer:p%40ss%2F%C3%A9@[::1]:7000/2").unwrap();
        assert_eq!(url.username.as_deref(), Some("us:er"));
        assert_eq!(url.password.as_ref().map(SecretString::expose), Some("p@ss/é"));
        assert_eq!(url.db, 2);
        let node = Node { host: "::1".into(), port: 7000 };
        assert_eq!(url.topology, Topology::Standalone { node, tls: true });
        let text = format!("{url:?}{url}");
        assert!(!text.contains("p@ss") && !text.contains("p%40ss"), "{text}");
        let empty = RedisUrl::parse("redis://:@host").unwrap();
        assert_eq!((empty.username, empty.password), (None, None));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_value() {
        for (url, problem) in [
            ("", "does not start with"),
            ("hunter2", "does not start with"),
            ("http://hunter2", "does not start with"),
            ("redis://", "bad host"),
            ("redis:///hunter2", "bad host"),
            ("redis://a,b", "bad host"),
            ("redis://u:hunter2/x@host", "port that is not a number"),
            ("redis://u:hunter2#@host", "has a #"),
            ("redis://u:hunter2?@host", "has a ?"),
            ("redis://u:hunter2%@host", "has a %"),
            ("redis://u:hunter2%ff@host", "not UTF-8"),
            ("redis://hunter2@host", "without a password"),
            ("redis://::1", "bad host"),
            ("redis://[hunter2]", "bad host"),
            ("redis://[::1]x", "bad host"),
            ("redis://[::1", "bad host"),
            ("redis://host:0", "from 1 to 65535"),
            ("redis://host:65536", "from 1 to 65535"),
            ("redis://host:", "from 1 to 65535"),
            ("redis://host:+1", "port that is not a number"),
            ("redis://host/hunter2", "database that is not a number"),
            ("redis://host/65536", "too large"),
            ("redis+unix://hunter2", "no absolute path"),
            ("redis+unix:///s%00", "no absolute path"),
            ("redis+unix:///s?hunter2=1", "other than db"),
            ("redis+unix:///s?db=1&db=1", "db twice"),
            ("redis+unix:///s?username=hunter2", "without a password"),
            ("redis+cluster://a,,b", "bad host"),
            ("redis+cluster://a/1", "only database 0"),
            ("redis+sentinel://a", "no master name"),
            ("redis+sentinel://a//1", "no master name"),
        ] {
            let error = RedisUrl::parse(url).unwrap_err();
            assert!(error.contains(problem) && !error.contains("hunter2"), "{url}: {error}");
        }
        let many = format!("redis+cluster://{}", ["a"; MAX_NODES + 1].join(","));
        assert!(RedisUrl::parse(&many).unwrap_err().contains("more than 64 hosts"));
    }
}
