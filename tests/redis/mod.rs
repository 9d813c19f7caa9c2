//! The server and the Redis behind it: each kind of deployment, and what happens when it fails.

#[cfg(target_os = "linux")] // libfaketime
mod clock;
mod cluster;
mod inspection;
mod nodes;
mod outage;
mod permissions;
mod sentinel;
mod tls;
