//! `doorward verify`: compares the indexes in Redis with the records, and repairs them.
//!
//! # Rules
//!
//! [`schema`](super::schema) describes keys, members and TTLs. The rules here are those that hold at any time in a store
//! that is in use:
//!
//! 1. *Keys of one user* are in one slot. A script (`schema/lua/verify_*.lua`) compares record and index as of one moment,
//!    between two operations, so what it finds is damage. A repair is part of the same step.
//! 2. *The reverse index* is in other slots. A missing entry is damage if the record still asks for it after the entry was
//!    missed, and the entry is missed again. An entry too many is no damage: see `operations/reverse_index.rs`.
//! 3. *TTLs* are set by the callers' clocks, so they are compared with a tolerance of a minute. A change of
//!    `stale-grace` or `revoked-retention` does not make old keys damaged.
//!
//! # Load
//!
//! `SCAN` lists the keys of each master, a few at a time, and nothing is remembered of a key once it is checked. The members
//! of an index, the events of a history and the fields of a map are read in pieces. The pace counts keys and members alike.

pub mod batch;
pub mod damage;
pub mod devices;
pub mod imported_devices;
pub mod indexes;
pub mod inspect;
pub mod key_name;
pub mod link;
pub mod object_entries;
pub mod other_keys;
pub mod pages;
pub mod progress;
pub mod report;
pub mod run;
pub mod takeover_entries;
pub mod tokens;
pub mod user_keys;
pub mod verifier;
