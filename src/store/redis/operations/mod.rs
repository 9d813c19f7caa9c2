//! Store operations as scripts and commands, one file per subject.
//!
//! `run_script` runs a script and removes the reverse-index entries that it made stale; the operations use it. Below it,
//! `script_call` only runs a script.

pub mod acknowledged;
pub mod batch_reads;
pub mod bus_probes;
pub mod check_up;
pub mod clock;
pub mod cutoffs;
pub mod devices;
pub mod event_feed;
pub mod events;
pub mod imported_devices;
pub mod imports;
pub mod node_reports;
pub mod related;
pub mod requests;
pub mod reverse_index;
pub mod revocations;
pub mod run_script;
pub mod sampling;
pub mod script_call;
pub mod stale_entries;
pub mod takeovers;
pub mod token_key;
pub mod tokens;
pub mod touches;
pub mod users;
pub mod usual_cases;
pub mod walk;
