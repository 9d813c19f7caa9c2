//! Faults: what an error or a finding at a server means, and what the operator can do.

use std::time::Duration;

use redis::{ErrorKind, RedisError, Value};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::permission_error::PermissionError;
use super::permissions::RequiredPermissions;
use super::replication;
use crate::store::redis::cluster::address::ServerAddress;
use crate::store::redis::cluster::slots::SLOTS;
use crate::store::redis::errors::describe;
use crate::store::redis::schema::keys::SCHEMA_VERSION;
use crate::store::redis::store_clock::following::distance;
use crate::store::report::{DeniedTo, Fault, FaultKind};

const CHECK_URL: &str = "start the server, or correct redis-url";

/// No server knows where the masters are.
pub(crate) fn nowhere(url: &str, cause: String) -> Fault {
    Fault::new(FaultKind::Unreachable, url, cause, "start the servers, or correct the hosts in redis-url")
}

/// Slots of a Cluster have no master.
pub(crate) fn uncovered(url: &str, slots: usize) -> Fault {
    let cause = format!("{slots} of {SLOTS} slots have no master: the tokens in them get 503");
    let fix = "bring the masters of these slots back, or run redis-cli --cluster fix";
    Fault::new(FaultKind::ClusterDown, url, cause, fix)
}

/// The server did not answer within the timeout.
pub(crate) fn silent(address: &ServerAddress, timeout: Duration) -> Fault {
    let cause = format!("no answer within {} ms", timeout.as_millis());
    let fix = "check the server and the network; use rediss:// with TLS and redis:// without";
    Fault::new(FaultKind::Unreachable, address.to_string(), cause, fix)
}

/// The server does not speak TLS: it takes the TLS greeting for the start of a command, and waits for its end.
pub(crate) fn no_tls(address: &ServerAddress) -> Fault {
    let fix = "use redis:// instead of rediss:// in redis-url, or name the server's tls-port";
    Fault::new(FaultKind::Tls, address.to_string(), "the server speaks no TLS on this port", fix)
}

/// Returns whether a server answers a `PING` without TLS.
pub(crate) async fn speaks_plain(address: &ServerAddress, timeout: Duration) -> bool {
    let ServerAddress::Tcp(node) = address else { return false };
    let ping = async {
        let mut stream = TcpStream::connect((node.host.as_str(), node.port)).await?;
        stream.write_all(b"PING\r\n").await?;
        stream.read_u8().await
    };
    // +PONG or -NOAUTH; a TLS server sends an alert, byte 21.
    matches!(tokio::time::timeout(timeout, ping).await, Ok(Ok(b'+' | b'-')))
}

/// The server is too old.
pub(crate) fn version(address: &ServerAddress, version: &str) -> Fault {
    let fix = "run Redis 7.0 or newer, or Valkey";
    Fault::new(FaultKind::Version, address.to_string(), format!("the server is {version}"), fix)
}

/// The schema version differs. `stored` is the value of the key; `None` if the key is not a string.
pub(crate) fn schema(address: &ServerAddress, key: &str, stored: Option<&Value>) -> Fault {
    let stored = match stored {
        Some(Value::BulkString(stored)) => {
            format!("{:?}", String::from_utf8_lossy(stored).chars().take(20).collect::<String>())
        }
        _ => "not a string".to_owned(),
    };
    let cause = format!("{key} is {stored}, this program needs {SCHEMA_VERSION:?}");
    let fix = "run the version of Doorward that wrote it, or set another redis-url or key-prefix";
    Fault::new(FaultKind::Schema, address.to_string(), cause, fix)
}

/// The clock of a master is `ahead_ms` ahead of the other masters', or behind.
pub(crate) fn master_clock(master: &ServerAddress, ahead_ms: i64) -> Fault {
    let cause = format!("the clock of {master} is {} this node's", distance(ahead_ms));
    let fix = "correct the clock of the server's machine (NTP)";
    Fault::new(FaultKind::MasterClock, master.to_string(), cause, fix)
}

/// The store's clock is `ahead_ms` ahead of this machine's, or behind.
pub(crate) fn system_clock(master: &ServerAddress, ahead_ms: i64) -> Fault {
    let cause = format!("the clock of {master} is {} this machine's: nodes follow it", distance(ahead_ms));
    let fix = "correct the clock that is wrong, of the server's machine or of this one (NTP)";
    Fault::new(FaultKind::SystemClock, master.to_string(), cause, fix)
}

/// Returns the fault that an error of the server, or of the connection to it, means.
pub(crate) fn of_error(address: &ServerAddress, error: &RedisError, required: &RequiredPermissions) -> Fault {
    if let Some(denied) = PermissionError::in_error(error) {
        return of_denied(address, denied, required);
    }
    let (kind, fix) = match error.code().unwrap_or_default() {
        "READONLY" => return replication::replica(address, "the server is a replica (READONLY)"),
        "NOAUTH" => (FaultKind::Login, "set user and password in redis-url"),
        "WRONGPASS" => (FaultKind::Login, "correct user and password in redis-url"),
        "LOADING" => (FaultKind::Loading, "wait until the server has loaded its data"),
        "MISCONF" => {
            (FaultKind::WritesRefused, "free disk space on the server; config/redis.conf has the settings")
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
    // The answer to SELECT without a login.
    if has(&["Authentication required"]) {
        return (FaultKind::Login, "set user and password in redis-url");
    }
    // This covers a server that quotes an unknown command with arguments that are not text.
    if error.kind() == ErrorKind::Parse {
        return (
            FaultKind::Other,
            "correct host and port in redis-url: the server is not Redis, or lacks a command (rename-command)",
        );
    }
    if is_unknown_command(error) {
        return (FaultKind::Other, "redis-url must name a Redis server without rename-command");
    }
    if has(&["switch database", "DB index"]) {
        return (
            FaultKind::Database,
            "correct the database number in redis-url, or raise databases in redis.conf",
        );
    }
    if has(&["corrupt message", "InvalidContentType"]) {
        return (
            FaultKind::Tls,
            "the server does not speak TLS on this port: use redis://, or name its tls-port",
        );
    }
    if has(&["certificate", "Certificate", "handshake", "TLS", "Tls"]) {
        return (FaultKind::Tls, "redis-ca-file must name the CA of the server's certificate");
    }
    if has(&["lookup address", "Name or service"]) {
        return (FaultKind::Unreachable, "correct the host in redis-url, or the name resolution");
    }
    if error.is_io_error() && !error.is_connection_refusal() && error.is_connection_dropped() {
        return (
            FaultKind::Unreachable,
            "use rediss:// if the server speaks TLS on this port; else look at its log",
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
        // The library's error for WRONGPASS.
        ErrorKind::AuthenticationFailed => "the server refuses user or password (WRONGPASS)".into(),
        _ if error.to_string().contains("switch database") => {
            format!("SELECT: {}", error.detail().unwrap_or("refused"))
        }
        _ => describe(error),
    }
}

/// A command was denied before the permissions could be checked.
fn of_denied(address: &ServerAddress, denied: PermissionError, required: &RequiredPermissions) -> Fault {
    match denied {
        PermissionError::Command(command) => {
            let rule = format!("+{}", command.to_ascii_lowercase());
            required.fault(address, &rule, DeniedTo { command, ..DeniedTo::default() })
        }
        PermissionError::Keys => required.all_keys(address),
        PermissionError::Channel => required.channel(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_login_is_not_reported_as_a_wrong_database() {
        let refused = |detail: &str| {
            let text = "Redis server refused to switch database";
            of_connection(&RedisError::from((ErrorKind::Client, text, detail.to_owned()))).0
        };
        assert_eq!(refused("DB index is out of range"), FaultKind::Database);
        assert_eq!(refused("Authentication required."), FaultKind::Login);
    }
}
