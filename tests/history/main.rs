//! The guarantee, checked on real processes: every node refuses a token within the lease after its revocation was
//! acknowledged, whatever fails, and no fault makes a node refuse a live token (503 is allowed).
//!
//! Each test starts a deployment (`world`), puts it under random load (`load`), causes one fault (`fault`), and judges
//! the whole history (`judge`). Only this test measures time. The speed of the machine does not affect the verdict:
//! slowness makes requests start earlier or acknowledgements arrive later than necessary, which makes the judge more
//! lenient.
//!
//! `cargo test --test history` runs each fault for a second or two. The long form runs for an hour and prints figures:
//! `HISTORY_SECONDS=3600 cargo test --test history -- --nocapture`. A failure prints its seed; `HISTORY_SEED` repeats
//! its choices as far as timing allows.
//!
//! `cargo test --release --test history -- --ignored --nocapture soak` restarts nodes and Redis under load for ten
//! minutes (`SOAK_SECONDS`). It prints how long each took to recover and how much memory the nodes use.
//!
//! `cargo test --release --test history -- --ignored --nocapture lossy_rounds` makes Redis lose acknowledged writes a
//! hundred times in each of the ways of `lossy` (`LOSSY_ROUNDS`, `LOSSY_FAULT`), and prints the verdict of each.

#[path = "../common/mod.rs"]
mod common;
mod fault;
mod faults;
mod judge;
mod lag;
mod load;
mod lossy;
mod proxy;
mod run;
mod soak;
mod timing;
mod world;
