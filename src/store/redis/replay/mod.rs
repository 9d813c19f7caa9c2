//! Replay: what was acknowledged stays, even when Redis loses it.
//!
//! Redis replicates asynchronously, and its append-only file may be a second behind. After a failover or a crash, a master
//! may lack what was acknowledged last. The nodes *remember* it ([`memory`]), *merge* it into the master's data ([`merge`]),
//! and only then *accept* that data and serve from it ([`worker`]).
//!
//! **Promise.** Let a master's data be at most `replay-window` behind what was acknowledged.
//!
//! 1. A revocation survives if any node lives that heard of it. No node that remembers it ever admits the token, and every other
//!    node refuses it once the first such node has merged. The same holds for the early end of a takeover, the end of a
//!    device key, a lock, an unlock, an erasure and a cut-off.
//! 2. An issue, an import, a rotation, a confirmation, a change, a takeover, a device key or a request with `Idempotency-Key`
//!    survives if the node that acknowledged it lives and reaches the new master. For `REPLAY_SETTLE` ([`settling`]), and while
//!    that node says that it merges ([`merge_sign`]), but for at most `LONGEST_SETTLE`, other nodes answer 503 for what they do
//!    not find, and not 401.
//! 3. Nothing that a node remembers to be revoked comes back, in whatever order the nodes merge.
//! 4. The shared token key survives if any node lives that knows it, and merges before another node makes a new one
//!    ([`token_key`]).
//!
//! **Not promised**: what only nodes knew that have stopped since; what went at a bound of the memory; last accesses, so a
//! session may end earlier by the lost ones; last logins of device keys; entries of the history of events; and what an operator
//! deletes. Of two changes of one token, made on both sides of a failover, the later wins its fields, but no secret is lost.
//!
//! # What is remembered
//!
//! Every script that writes, by the name of its file. *All* is every node that hears the event, *one* is the node that
//! acknowledged the change. A test compares this table with the scripts.
//!
//! | script | what is remembered | by | merged by |
//! |---|---|---|---|
//! | `issue_token`, `issue_token_at_limit` | the token; with `Idempotency-Key`, what the request made | one | `merge_tokens`, `SET NX` |
//! | `import_token` | the token and its alias | one | `merge_tokens` |
//! | `log_in_device` | the token; not the last login of the device key | one | `merge_tokens` |
//! | `rotate_token` | the token, with the secrets that are out and until when | one | `merge_tokens` |
//! | `change_token` | the token; a revocation as below | one | `merge_tokens` |
//! | `relate_object`, `unrelate_object` | the token | one | `merge_tokens` |
//! | `add_object_entry`, `add_device_entry`, `add_takeover_entry` | nothing: merged with what they name | | themselves |
//! | `touch_tokens` | nothing: last accesses are not promised | | |
//! | `revoke_token`, `revoke_user_tokens`, `revoke_object_token`, `revoke_reused_token` | the revocation, whatever its reason | all | `merge_revocations` |
//! | `remove_stale_entries` | nothing: a stale entry does no harm | | |
//! | `start_takeover` | the takeover and the token | one | `merge_takeover`, `merge_tokens` |
//! | `end_takeover` | the end | all | `merge_takeover_end` |
//! | `make_device`, `rotate_device` | the device key | one | `merge_device` |
//! | `change_device` | the device key; its deactivation | one; all | `merge_device`, `merge_device_end` |
//! | `remove_device` | the removal | all | `merge_device_end` |
//! | `lock_user` | the later of lock and unlock | all | `merge_lock` |
//! | `erase_user` | the erasure | all | `merge_erasure` |
//! | `set_cutoff`, `remove_cutoff` | the time of the cut-off, the removal | all | `merge_cutoff` |
//! | `hold_walk` | nothing: the walk of a cut-off begins again | | |
//! | `keep_answer` | the answer to a request with `Idempotency-Key` | one | `SET` |
//! | `report_node` | nothing: the node reports again | | |
//!
//! `tests/store/model/merging.rs` checks all of them, requests excepted (`tests/redis/settling.rs`); `tests/history` checks
//! issues, rotations, revocations and cut-offs on real servers.
//!
//! # Argument
//!
//! 1. *What is acknowledged is remembered.* The acknowledging node remembers it before it answers. Endings are events that every
//!    node hears, on a channel of their own, and remembers.
//!    An ending of which a node hears while it merges is merged a second later: the last messages of a former master may be late.
//! 2. *What is remembered is merged.* An entry is forgotten one window after it was made, by the time of a proof that its master
//!    was accepted then. That master has the change, and so has any data that is at most one window behind it. While a
//!    master is not proven, nothing of it is forgotten, so the length of an outage does not matter.
//! 3. *Endings are final.* Each merge writes endings first. A thing that is not there leaves a trace (`dw:q`, `dw:y`), because of
//!    which no later merge makes it. What leaves no record when it ends leaves a trace at once. A trace is kept for longer than any node merges what it remembers from before
//!    ([`merge`]), so a node that was cut off for long cannot bring a revoked token back. That is why
//!    `revoked-retention` must not be shorter than two windows and a minute; a node does not start otherwise.
//! 4. *Merging is a join.* The scripts compute a least upper bound of what is there and what is remembered: an ending is above any
//!    change, the later version is above the earlier one, a secret that is out is above the same secret being good, and the sets
//!    of secrets are united. A join is idempotent, and its order does not matter (`tests/store/model/merging.rs` checks it).
//! 5. *Versions are the store's.* Each change of a token or device key writes its version, field `m`, in the same script: the
//!    time, but later than the version before. So on one side of a failover the order of versions is the order of changes.
//! 6. *No answer makes a remembered revocation undone.* A reader compares each record that it reads with the remembered
//!    revocations, so even data that was lost without anybody noticing admits no such token.

pub mod aged_map;
pub mod entries;
pub mod heard;
pub mod memory;
pub mod merge;
pub mod merge_calls;
pub mod merge_counts;
pub mod merge_entry_calls;
pub mod merge_run;
pub mod merge_sign;
pub mod merged;
pub mod packed_fields;
pub mod peers;
pub mod remember;
pub mod settling;
#[cfg(test)]
pub mod tests;
pub mod token_key;
pub mod worker;
