//! Invalidations of the near cache: to each master one RESP3 connection that hears of every change to a token, and whose
//! heartbeats keep the lease alive. Nothing else uses that connection.
//!
//! The connection's driver applies pushes itself, in the order of its input. So when the answer to a heartbeat arrives,
//! every push before it has been applied. The lease rests on that (`store/cache/mod.rs`).
//!
//! On a Cluster, a heartbeat also asks which slots the master has. A master that has lost a slot hears no more of the
//! tokens in it, so everything read from it is discarded before its lease moves. Redis itself pushes nothing when a slot
//! is taken away (seen on 7.0.15). A slot that leaves and returns between two heartbeats goes unnoticed. But its tokens
//! were then moved by `MIGRATE`, which deletes them here, and that is pushed.

pub mod master_listener;
pub mod own_slots;
pub mod push;
pub mod tracking_worker;
