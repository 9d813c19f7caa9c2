//! The server on each kind of Redis deployment, and the failures of each.

mod backup;
#[cfg(target_os = "linux")] // libfaketime
mod clock;
mod cluster;
mod cutoffs;
mod doctor;
mod durable;
mod foreign;
mod inspection;
mod node_reports;
mod nodes;
mod outage;
mod permissions;
mod sentinel;
mod settling;
mod tls;
mod verify;
