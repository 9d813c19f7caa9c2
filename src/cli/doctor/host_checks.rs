//! The checks of this machine: the limit on open files, and the addresses of the listeners.

use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;

use super::check::Check;
use crate::cli::healthcheck::request_readiness;
use crate::config::Config;
use crate::server::{DescriptorBudget, descriptor_budget};
use crate::store::report::Severity;
use crate::values::ListenAddr;

const OPEN_FILES: &str = "open files";
const LISTENERS: &str = "listen addresses";

/// Checks this machine.
pub(super) async fn run(config: &Config) -> Vec<Check> {
    let mut checks = vec![open_files(config)];
    let validation = &config.listen;
    let is_running = is_doorward_running(validation, config.tls_cert.is_some()).await;
    for (setting, address) in [
        ("listen", Some(validation)),
        ("admin-listen", Some(&config.admin_listen)),
        ("grpc-listen", config.grpc_listen.as_ref()),
        ("metrics-listen", config.metrics_listen.as_ref()),
    ] {
        checks.extend(address.map(|address| listener(setting, address, is_running)));
    }
    checks
}

/// Returns whether a Doorward listens on the address of the validation plane: anything else hardly answers `/readyz` so.
async fn is_doorward_running(validation: &ListenAddr, is_tls: bool) -> bool {
    let answer = request_readiness(validation, is_tls).await;
    answer.is_ok_and(|status| matches!(status.as_u16(), 200 | 503))
}

/// Compares the limit of this process, which a service manager may set differently for the server.
fn open_files(config: &Config) -> Check {
    let budget = match descriptor_budget(config) {
        Ok(budget) => budget,
        Err(error) => return Check::not_checked(OPEN_FILES, error.to_string()),
    };
    let DescriptorBudget { limit, needed, fewest } = budget;
    let severity = match limit {
        limit if limit >= needed => {
            return Check::ok(OPEN_FILES, format!("{limit} allowed here, {needed} needed at most"));
        }
        limit if limit < fewest => Severity::Fault,
        _ => Severity::Warning,
    };
    let connections = config.max_connections;
    let cause = format!("{limit} are allowed here; {needed} are needed for max-connections {connections}");
    let fix =
        format!("raise the limit to {needed} (LimitNOFILE in the unit, ulimit -n), or lower max-connections");
    Check::failed(OPEN_FILES, severity, "max-connections", cause, fix)
}

/// Checks that an address is free, or in use while a Doorward with these settings runs.
fn listener(setting: &str, address: &ListenAddr, is_running: bool) -> Check {
    let place = format!("{setting} {address}");
    let failed = |cause: String, fix| Check::failed(LISTENERS, Severity::Fault, &place, cause, fix);
    match state_of(address) {
        Ok(Availability::Free) => Check::ok(LISTENERS, format!("{place}: free")),
        Ok(Availability::Taken) if is_running => {
            Check::ok(LISTENERS, format!("{place}: in use by a running Doorward"))
        }
        Ok(Availability::Taken) => {
            failed("in use by another program".into(), "stop the program, or set another address")
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let fix = "allow this user the address (AmbientCapabilities=CAP_NET_BIND_SERVICE for a port below 1024)";
            failed(error.to_string(), fix)
        }
        Err(error) => {
            failed(error.to_string(), "set an address of this machine, or a path in a folder that exists")
        }
    }
}

/// Whether an address can be bound.
enum Availability {
    Free,
    Taken,
}

fn state_of(address: &ListenAddr) -> io::Result<Availability> {
    let outcome = match address {
        ListenAddr::Tcp(address) => TcpListener::bind(address).map(drop),
        // Binding would leave a file behind.
        ListenAddr::Unix(path) => match UnixStream::connect(path) {
            Ok(_) => return Ok(Availability::Taken),
            // No process listens there: a dead one left the file behind, and a server replaces it.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Ok(Availability::Free),
            Err(error) if error.kind() == ErrorKind::NotFound => match path.parent().map(std::fs::metadata) {
                Some(Err(error)) => Err(error),
                Some(Ok(_)) | None => Ok(()),
            },
            Err(error) => Err(error),
        },
    };
    match outcome {
        Ok(()) => Ok(Availability::Free),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Ok(Availability::Taken),
        Err(error) => Err(error),
    }
}
