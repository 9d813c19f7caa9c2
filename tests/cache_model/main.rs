//! The model check of the near cache: `src/store/cache` itself, compiled with the checker's primitives, among masters,
//! connections, writers and readers that do whatever the design allows.
//!
//! The checker is shuttle. Loom searches exhaustively, so it finishes only on models far smaller than reconnects, two
//! servers and five threads. Loom's other advantage is weak memory orders, which the cache does not use: everything is
//! under a lock or sequentially consistent. The smallest models here are searched exhaustively. The followers' channel
//! is tokio's own, one step in the model.
//!
//! `cargo test --test cache_model` is the short form with fixed schedules. The long form uses new ones each time:
//! `CACHE_MODEL_ITERATIONS=1000000 cargo test --release --test cache_model`. A failure prints the schedule, which
//! `shuttle::replay` repeats.

#[allow(dead_code, unused_imports)] // the model does not use all of it
#[path = "../../src/store/cache/mod.rs"]
mod cache;
mod guarantee;
mod models;
mod protections;
mod runs;
mod sync;
mod world;

// The module paths that the cache's source uses.
use doorward::internals::{clock, token_string};
