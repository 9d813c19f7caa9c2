//! Which Redis servers are masters now, which slots they own, and the connections to them.
//!
//! # What happens when Redis fails over
//!
//! 1. *The node hears of it.* With Sentinel it subscribes to `+switch-master` and asks again every two seconds; a master
//!    is followed only if a majority of all listed Sentinels names it (`sentinels`, `sentinel_votes`). On a Cluster it
//!    asks the known nodes for the slots every two seconds (`discovery`). In both cases it also asks at once when a
//!    connection fails or a server redirects.
//! 2. *The map is replaced.* `topology` holds one immutable `MasterMap`. A change stores a new map and wakes its
//!    watchers. A refresh that fails leaves the map as it was.
//! 3. *Connections follow.* An operation that meets `READONLY` or a broken connection discards the whole pool of that
//!    master (`pool`). Look-ups end their pipeline to the old master and start one to the new (`lookup`). The listener of
//!    the old master ends, which discards everything cached from it; a new listener tracks the new master
//!    (`invalidation`).
//! 4. *The old master is not believed.* A demoted or isolated master still answers reads, with what it knew then. So
//!    each look-up pipeline and each heartbeat includes a write that changes nothing, which only a real master accepts
//!    (`authority`).
//!
//! Until a new master is known, operations fail with [`StoreError::Unavailable`](crate::store::error::StoreError).
//! Cached tokens pass until their connection is lost, and after that only in a configured stale grace.
//! `inspection/replication.rs` warns if the Redis settings let a failover bring revoked tokens back for longer than
//! guaranteed.
//!
//! # Why not the redis crate's cluster client
//!
//! While one master is silent, that client delays the calls to all others: it refreshes the slots, and connects, under a
//! lock that every call takes. It also cannot prove a master's authority before a look-up. So this folder has its own
//! slots, topology and redirects, over the crate's single connections (`docs/decisions.md`).
//!
//! Arrows between the files: `connector` and `slots` know nothing of the rest; `topology` uses the discovery of each kind
//! of deployment; `pool` and `routed_connection` use `topology`.

pub mod address;
pub mod authority;
pub mod byte_stream;
pub mod cluster_view;
pub mod connector;
pub mod data_identity;
pub mod discovery;
pub mod dns;
pub mod gate;
pub mod master;
pub mod master_data;
pub mod master_map;
pub mod members;
pub mod pool;
pub mod pool_server;
pub mod redirect;
pub mod routed_connection;
pub mod sentinel_votes;
pub mod sentinels;
pub mod shared_connection;
pub mod slot_ranges;
pub mod slot_set;
pub mod slots;
pub mod socket;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
pub mod tls;
pub mod topology;
