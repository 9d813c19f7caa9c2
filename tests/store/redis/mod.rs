//! Tests that are specific to the store on Redis.

mod busy;
mod clock;
mod corrupt;
mod erasures;
mod footprint;
mod full;
mod half;
mod imports;
mod key_lifetimes;
mod keys;
mod live_tokens;
mod outage;
mod round_trips;
mod secrets;
mod stale;
mod steps;
