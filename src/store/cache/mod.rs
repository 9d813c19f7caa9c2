//! The near cache: decoded tokens kept in process memory, and the rules that bound how stale they can be.
//!
//! **Guarantee.** A node refuses a revoked token as soon as the invalidation arrives, and in any case one lease
//! after the revocation was acknowledged, no matter which messages were lost or delayed. The node that revoked
//! the token refuses it at once.
//!
//! # Protocol
//!
//! Each server (a Redis master) has one [`TrackingConnection`]. It carries invalidations and the answers to
//! heartbeats, in order. The server writes an invalidation to it before it acknowledges the change.
//!
//! 1. *Lease.* A heartbeat sent at `t0` and answered proves that every invalidation acknowledged before `t0` has
//!    arrived. Entries are served only until `t0 + lease`, judged by a fresh reading of CLOCK_BOOTTIME.
//! 2. *Epoch.* Losing the connection to a server discards everything read from it, in constant time: entries and
//!    tickets carry the epoch they were read in, and count only while that epoch is current. A push of null
//!    ("any key may have changed") starts a new epoch, too.
//! 3. *Ticket.* On a miss, the reader takes a [`Ticket`] before it reads the store. An invalidation of that token
//!    cancels the ticket, and a cancelled ticket cannot fill the cache. Neither can a ticket that was taken while
//!    tracking was not live, or an answer of another server than the ticket's.
//! 4. *Single flight.* Concurrent misses of one token are one read: the first reader leads, the others follow. No
//!    reader joins a read whose ticket is cancelled, or one that began a lease ago or earlier: a slow read is as
//!    old as an old entry. If the leader gives up, its followers begin again.
//! 5. *Own revocations.* The node that changes a token calls [`NearCache::invalidate`] once the store has executed
//!    the change, and before it answers. It does not wait for its own invalidation to come back.
//!
//! # What the caller owes
//!
//! - Follow rule 5, also when the outcome is unknown (an error or a time-out).
//! - Apply the pushes and heartbeat answers of a connection in the order of their arrival.
//! - Read the clock before sending a heartbeat, keep at most one heartbeat outstanding, and never count an error
//!   as an answer.
//! - Call [`NearCache::start_tracking`] only after the server has confirmed that tracking is on.
//! - Bound each read by a deadline: a follower waits as long as its leader does.
//!
//! # Invariants
//!
//! - An entry in the table was read after every invalidation of its token that this node has received.
//! - An entry of the current epoch was read after tracking went live, and tracking has not broken since.
//! - A copy in a front whose generation is current is of an entry in the table.
//! - A running flight is not cancelled. Hence one list answers both "may I join?" and "may I insert?".
//! - Epochs and leases only grow.
//! - No code waits or drops a value while it holds a lock, and none takes two locks, but for [`NearCache::look_each`], which
//!   skips a locked shard. Only the closures of [`NearCache::look`] and
//!   [`NearCache::look_each`] run under one.
//!
//! # Where to find what
//!
//! | file | subject |
//! |---|---|
//! | `near_cache` | the cache itself: look-ups and invalidations |
//! | `lease` | leases and epochs: whether an entry may be served (`Leases::may_serve`) |
//! | `ticket` | reading the store on a miss: leading, following, filling the cache |
//! | `running_flights` | the reads under way, with their followers |
//! | `table` | the entries of a shard, bounded, with eviction |
//! | `front` | a thread's own copies of the entries that it uses most, and why they are never staler |
//! | `found` | finding an entry: in the thread's front, else in the shard |
//! | `look_each` | look-ups of many tokens at once |
//!
//! # Cost, and why not quick_cache
//!
//! A hit in the thread's front takes a lock that no other thread wants and writes no memory that another core reads. Any
//! other hit takes the lock of one of up to 256 shards. Both load two or three numbers that change a few times a second.
//! All atomics are sequentially consistent: a load costs the same, and the model check explores
//! exactly that order, so what is checked is what runs. `tests/cache_model` is the model check,
//! `tests/store/near_cache.rs` tests the rules one by one, `benches/cache.rs` measures the cost.
//!
//! quick_cache joins a running read unconditionally, which breaks rule 4. It also has to discard an entry whose
//! lease has run out before the token can be read again, which would leave nothing to serve in a stale grace.

pub mod found;
pub mod front;
pub mod lease;
pub mod look;
pub mod look_each;
pub mod near_cache;
pub mod running_flights;
pub mod table;
pub mod ticket;

pub use self::lease::{ServerIndex, TrackingConnection};
pub use self::near_cache::{CacheLimits, CacheStats, Looked, NearCache};
pub use self::running_flights::Follower;
pub use self::ticket::{Flight, Ticket};
