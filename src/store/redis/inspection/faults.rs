//! From what was seen at a server to a fault: its kind, its cause, and what to do about it.

use std::time::Duration;

use redis::{ErrorKind, RedisError, Value};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::denied::Denied;
use super::permissions::Needs;
use crate::store::redis::cluster::address::ServerAddress;
use crate::store::redis::errors::describe;
use crate::store::redis::schema::keys::SCHEMA_VERSION;
use crate::store::report::{DeniedTo, Fault, FaultKind};

const CHECK_URL: &str = "start the server, or correct redis-url";

/// Nobody says where the masters are.
pub(crate) fn nowhere(url: &str, cause: String) -> Fault {
    Fault::new(FaultKind::Unreachable, url, cause, "start the servers, or correct the hosts in redis-url")
}

/// No answer within the timeout.
pub(crate) fn silent(address: &ServerAddress, timeout: Duration) -> Fault {
    let cause = format!("no answer within {} ms", timeout.as_millis());
    let fix = "look at the server and the network; over TLS or not is said by rediss:// and redis://";
    Fault::new(FaultKind::Unreachable, address.to_string(), cause, fix)
}

/// A server that speaks no TLS takes our greeting for the beginning of a command, and waits for its end.
pub(crate) fn no_tls(address: &ServerAddress) -> Fault {
    let fix = "redis:// instead of rediss://, or the server's tls-port, in redis-url";
    Fault::new(FaultKind::Tls, address.to_string(), "the server speaks no TLS on this port", fix)
}

/// Whether a server answers without TLS. It is told nothing but `PING`.
pub(crate) async fn speaks_plain(address: &ServerAddress, timeout: Duration) -> bool {
    let ServerAddress::Tcp(node) = address else { return false };
    let ask = async {
        let mut stream = TcpStream::connect((node.host.as_str(), node.port)).await?;
        stream.write_all(b"PING\r\n").await?;
        stream.read_u8().await
    };
    // +PONG, or -NOAUTH; TLS answers with an alert, 21.
    matches!(tokio::time::timeout(timeout, ask).await, Ok(Ok(b'+' | b'-')))
}

pub(crate) fn version(address: &ServerAddress, version: &str) -> Fault {
    let fix = "run Redis 7.0 or newer, or Valkey";
    Fault::new(FaultKind::Version, address.to_string(), format!("the server is {version}"), fix)
}

/// `kept` is the value of the key, or `None` where the key is no string.
pub(crate) fn schema(address: &ServerAddress, key: &str, kept: Option<&Value>) -> Fault {
    let kept = match kept {
        Some(Value::BulkString(kept)) => {
            format!("{:?}", String::from_utf8_lossy(kept).chars().take(20).collect::<String>())
        }
        _ => "no string".to_owned(),
    };
    let cause = format!("{key} is {kept}, this program needs {SCHEMA_VERSION:?}");
    let fix = "run the version of Doorward that wrote it, or set another redis-url or key-prefix";
    Fault::new(FaultKind::Schema, address.to_string(), cause, fix)
}

pub(crate) fn eviction(address: &ServerAddress, policy: &str) -> Fault {
    let cause = format!(
        "maxmemory-policy is {policy}: an evicted token is a user logged out, an evicted index hides tokens"
    );
    let fix = "CONFIG SET maxmemory-policy noeviction, and in redis.conf; or set accept-eviction";
    Fault::new(FaultKind::Eviction, address.to_string(), cause, fix)
}

/// What an error of the server, or of the way to it, means.
pub(crate) fn of_error(address: &ServerAddress, error: &RedisError, needs: &Needs) -> Fault {
    if let Some(denied) = Denied::in_error(error) {
        return of_denied(address, denied, needs);
    }
    let (kind, fix) = match error.code().unwrap_or_default() {
        "NOAUTH" => (FaultKind::Login, "set user and password in redis-url"),
        "WRONGPASS" => (FaultKind::Login, "correct user and password in redis-url"),
        "LOADING" => (FaultKind::Loading, "wait until the server has read its data"),
        "READONLY" => (FaultKind::WritesRefused, "redis-url must name the master; this is a replica"),
        "MISCONF" => {
            (FaultKind::WritesRefused, "free the disk of the server; config/redis.conf has the settings")
        }
        "NOREPLICAS" => (FaultKind::WritesRefused, "bring the replicas back (min-replicas-to-write)"),
        "MASTERDOWN" => {
            (FaultKind::WritesRefused, "redis-url must name the master; this replica has lost its own")
        }
        "CLUSTERDOWN" => (FaultKind::ClusterDown, "bring the masters of the missing slots back"),
        "OOM" => (FaultKind::WritesRefused, "raise maxmemory"),
        _ => of_connection(error),
    };
    Fault::new(kind, address.to_string(), cause(error), fix)
}

fn of_connection(error: &RedisError) -> (FaultKind, &'static str) {
    let text = error.to_string();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if error.kind() == ErrorKind::AuthenticationFailed {
        return (FaultKind::Login, "correct user and password in redis-url");
    }
    // In place of an answer to SELECT.
    if has(&["Authentication required"]) {
        return (FaultKind::Login, "set user and password in redis-url");
    }
    // Also the refusal of an unknown command, as it quotes arguments that are no text.
    if error.kind() == ErrorKind::Parse {
        return (
            FaultKind::Other,
            "what listens there is no Redis, or lacks a command (rename-command): correct host and port in redis-url",
        );
    }
    if is_unknown_command(error) {
        return (FaultKind::Other, "redis-url must name a Redis server without rename-command");
    }
    if has(&["switch database", "DB index"]) {
        return (
            FaultKind::Database,
            "correct the number of the database in redis-url, or raise databases in redis.conf",
        );
    }
    if has(&["corrupt message", "InvalidContentType"]) {
        return (
            FaultKind::Tls,
            "the server speaks no TLS on this port: redis:// instead of rediss://, or its tls-port",
        );
    }
    if has(&["certificate", "Certificate", "handshake", "TLS", "Tls"]) {
        return (FaultKind::Tls, "redis-ca-file must name the authority of the server's certificate");
    }
    if has(&["lookup address", "Name or service"]) {
        return (FaultKind::Unreachable, "correct the host in redis-url, or the name service");
    }
    if error.is_io_error() && !error.is_connection_refusal() && error.is_connection_dropped() {
        return (
            FaultKind::Unreachable,
            "a server that speaks TLS on this port needs rediss://; else look at its log",
        );
    }
    (if error.is_io_error() { FaultKind::Unreachable } else { FaultKind::Other }, CHECK_URL)
}

fn is_unknown_command(error: &RedisError) -> bool {
    error.code() == Some("ERR") && error.detail().is_some_and(|text| text.starts_with("unknown command"))
}

fn cause(error: &RedisError) -> String {
    match error.kind() {
        _ if is_unknown_command(error) => "the server lacks a command".into(),
        // What the library makes of WRONGPASS.
        ErrorKind::AuthenticationFailed => "the server refuses user or password (WRONGPASS)".into(),
        _ if error.to_string().contains("switch database") => {
            format!("SELECT: {}", error.detail().unwrap_or("refused"))
        }
        _ => describe(error),
    }
}

/// A command was denied before the permissions could be asked for.
fn of_denied(address: &ServerAddress, denied: Denied, needs: &Needs) -> Fault {
    match denied {
        Denied::Command(command) => {
            let rule = format!("+{}", command.to_ascii_lowercase());
            needs.fault(address, &rule, DeniedTo { command, ..DeniedTo::default() })
        }
        Denied::Keys => needs.all_keys(address),
        Denied::Channel => needs.channel(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_that_is_missing_is_not_taken_for_a_wrong_database() {
        let refused = |detail: &str| {
            let text = "Redis server refused to switch database";
            of_connection(&RedisError::from((ErrorKind::Client, text, detail.to_owned()))).0
        };
        assert_eq!(refused("DB index is out of range"), FaultKind::Database);
        assert_eq!(refused("Authentication required."), FaultKind::Login);
    }
}
