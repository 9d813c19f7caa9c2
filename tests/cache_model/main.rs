//! The model check of the near cache: `src/store/cache` itself, compiled with the checker's primitives,
//! between masters, connections, writers and readers that do whatever the design allows them to.
//!
//! Checked by shuttle. Loom would search exhaustively and finish only on models far smaller than reconnects,
//! two servers and five threads; what it has beyond shuttle, weak memory orders, the cache does without (all
//! is under a lock or sequentially consistent). The smallest models here are searched exhaustively all the
//! same. The followers' channel is tokio's own, one step to the model.
//!
//! `cargo test --test cache_model` is the short form, the same schedules each time. The long one:
//! `CACHE_MODEL_ITERATIONS=1000000 cargo test --release --test cache_model`, with new ones each time; a
//! failure prints the schedule that `shuttle::replay` repeats.

#[allow(dead_code, unused_imports)] // the model does not use all of it
#[path = "../../src/store/cache/mod.rs"]
mod cache;
mod models;
mod promise;
mod protections;
mod runs;
mod sync;
mod world;

// As the source of the cache names them.
use doorward::internals::{clock, token_string};
