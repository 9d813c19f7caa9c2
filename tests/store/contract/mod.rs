//! The contract of every store, run on every variant. The time is a parameter of the store, so no test waits for
//! anything to expire.

mod aliases;
mod busy;
mod change;
mod cutoffs;
mod devices;
mod erasure;
mod events;
mod issue;
mod related;
mod rotation;
mod takeovers;
mod touch;
mod users;
mod validity;
