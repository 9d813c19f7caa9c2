//! The promise, checked on real processes: a token whose ending was acknowledged is refused by every node within
//! the lease whatever fails on the way, and no live token is refused because of a fault (503 is allowed).
//!
//! Each test starts a deployment (`world`), works on it at random (`load`), lets one thing fail (`fault`), and has
//! the whole history judged (`judge`). Alone among the tests this one looks at the clock of the machine. That does
//! not make it depend on the machine's speed: whatever is slow makes a request start earlier or an acknowledgement
//! come later than it need, and so only makes the judge milder.
//!
//! `cargo test --test history` runs each fault for a second or two. The long form, for an hour, with the figures:
//! `HISTORY_SECONDS=3600 cargo test --test history -- --nocapture`. `HISTORY_SEED` repeats the choices of a run,
//! as far as the machine lets it; a failure prints its seed.
//!
//! `cargo test --release --test history -- --ignored --nocapture soak` restarts nodes and Redis under load for ten minutes
//! (`SOAK_SECONDS`), and prints how long each took to be back and what memory the nodes use.

#[path = "../common/mod.rs"]
mod common;
mod fault;
mod faults;
mod judge;
mod lag;
mod load;
mod proxy;
mod run;
mod soak;
mod timing;
mod world;
