//! What only Redis can do wrong: keys and TTLs, corrupt records, a full memory, round trips, outages.

#[path = "../common/mod.rs"]
mod common;

mod corrupt;
mod footprint;
mod full;
mod half;
mod inspection;
mod keys;
mod outage;
mod round_trips;
