//! The contract of every store, run on every variant. The time is a parameter of the store, so no test waits for
//! anything to expire.

mod busy;
mod change;
mod cutoffs;
mod device_rotation;
mod devices;
mod erasure;
mod events;
mod imported_devices;
mod imports;
mod issue;
mod locking;
mod node_reports;
mod related;
mod requests;
mod rotation;
mod takeovers;
mod times;
mod touch;
mod users;
mod validity;
