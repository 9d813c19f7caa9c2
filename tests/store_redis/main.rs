//! What only Redis can do wrong: keys and TTLs, corrupt records, a full memory, round trips, outages.

#[path = "../common/mod.rs"]
mod common;

mod busy;
mod corrupt;
mod footprint;
mod full;
mod keys;
mod outage;
mod round_trips;
mod stale;
mod steps;
