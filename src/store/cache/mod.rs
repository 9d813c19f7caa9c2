//! The near cache: decoded tokens kept in process, and the promise they keep.
//!
//! **The promise.** A token whose ending was acknowledged is refused by this node at the latest one lease
//! later, whatever was lost or delayed on the way, and as soon as the ending's invalidation arrives when
//! nothing was. On the node that ended it, at once.
//!
//! # The protocol
//!
//! Each server (master) has one tracking [`Connection`], over which it tells what changed and answers
//! heartbeats, in order. A write's invalidation is on that connection before the write is acknowledged. The
//! rules:
//!
//! 1. *Lease.* A heartbeat sent at t0 and answered proves that the invalidations of all writes acknowledged
//!    before t0 have arrived. Entries are served only before t0 + lease, by a fresh reading of CLOCK_BOOTTIME.
//! 2. *Epoch.* Losing the connection voids all that was read from that server, in constant time: entries and
//!    tickets carry the server's epoch, and count only while it is current. So does a push of null.
//! 3. *Ticket.* Who misses takes a [`Ticket`] before it reads the store. An invalidation of that token voids
//!    the ticket, and only a ticket that is not void puts its answer into the cache. The same if the answer
//!    came from another server, or if tracking was not live when the ticket was taken.
//! 4. *Single flight.* Concurrent misses of one token are one read: one leads, the others follow. None follows
//!    a read whose ticket is void, or that began a lease ago or more (a slow read is as old as an old entry).
//!    A follower whose leader gives up begins again.
//! 5. *Own endings.* The node that ends a token calls [`NearCache::void`] after the store has executed the
//!    ending and before it answers.
//!
//! What the caller owes: rule 5; to apply pushes and heartbeats of one connection in the order they arrived;
//! to read the clock before it sends a heartbeat, to have only one heartbeat outstanding, and never to count
//! an error as an answer; to call [`NearCache::connection_live`] only once the server has said that tracking
//! is on; to bound each request by a deadline, because a follower waits as long as its leader does.
//!
//! # The invariants
//!
//! - An entry in the table was read after every invalidation of its token that this node has received.
//! - An entry of the current epoch was read after tracking went live, and tracking has not broken since.
//! - A read in the list of flights is not void. So one list answers both "may I join" and "may I insert".
//! - Epochs and leases only grow. Nobody awaits or drops a value while holding a lock, or calls back but for
//!   [`NearCache::look`].
//!
//! The hot path is one lock of one of up to 256 shards, one look-up, and two loads of numbers that rarely
//! change. All atomics are sequentially consistent: the model check explores just that, so what is checked is
//! what runs, and a load costs the same. `tests/cache_model` is that check; `tests/cache.rs` has the rules one
//! by one; `benches/cache.rs` the cost.
//!
//! Not built on quick_cache: there a running read can be joined without any condition, and an entry whose
//! lease has run out must be thrown away before its token can be read anew, which would leave nothing to serve
//! in a `stale-grace`.

pub mod flight;
pub mod lease;
pub mod many;
pub mod near_cache;
pub mod table;

pub use self::flight::{Flight, Follower, Ticket};
pub use self::lease::{Connection, ServerIndex};
pub use self::near_cache::{Limits, Looked, NearCache, Stats};
