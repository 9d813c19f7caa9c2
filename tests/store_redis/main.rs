//! What only Redis can do wrong: keys and TTLs, corrupt records, a full memory, round trips, outages, clocks.

#[path = "../common/mod.rs"]
mod common;

mod clock;
mod corrupt;
mod footprint;
mod full;
mod half;
mod keys;
mod outage;
mod round_trips;
