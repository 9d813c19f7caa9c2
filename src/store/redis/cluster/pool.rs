//! The connection pools of lifecycle operations, one per master.
//!
//! **Scripts share a connection, other commands have one of their own.** Most operations are one script with a short answer.
//! Listings read much, and may need a command next to another one (`ASKING`).
//!
//! **When one connection of a pool fails, the whole pool is replaced.** A firewall that forgets its flows, a failover or
//! a restart breaks all idle connections at once, and each silent one costs an operation a whole timeout.
//!
//! **A connection is lent only while the data at its other end is accepted** (`master_data`). Otherwise the pool is
//! replaced.
//!
//! **Each pool keeps a connection for urgent operations.** However many other operations are slow, a revocation waits
//! only for other revocations. See `Priority`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deadpool_redis::{Connection, Hook, HookError, Manager, Pool, PoolError, Runtime, Timeouts};
use futures_util::FutureExt as _;
use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisError, RedisResult};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::address::ServerAddress;
use super::data_identity::DataIdentity;
use super::master::MAX_SERVERS;
use super::pool_server::PoolServer;
use super::shared_connection::SharedConnection;
use super::tls::Authorities;
use super::topology::Topology;
use crate::clock::Clock;
use crate::store::redis::counters::ConnectionUse;

/// Connections to each master that only urgent operations use.
pub(crate) const KEPT_FOR_URGENT: usize = 1;

/// Decides which connections an operation may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priority {
    /// A revocation, or the read of the clock or the token keys that it depends on. May use every connection.
    Urgent,
    /// Any other operation. May use all connections but [`KEPT_FOR_URGENT`].
    Normal,
}

/// Decides whether an operation has its connection to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Shared with other scripts.
    Shared,
    /// A connection of its own, from the pool.
    Own,
}

/// The pools to all masters.
pub(crate) struct ConnectionPools {
    pub(crate) topology: Arc<Topology>,
    per_master: usize,
    pub(crate) clock: Clock,
    pools: Mutex<PoolTable>,
}

#[derive(Default)]
struct PoolTable {
    by_master: HashMap<ServerAddress, MasterPool>,
    /// The number of pools created so far.
    created: u64,
}

/// The pool to a master.
#[derive(Clone)]
pub(crate) struct MasterPool {
    /// Unique: a replaced pool and its successor have different numbers.
    pub(crate) number: u64,
    /// The authorities that its connections trust.
    trusted: Option<Arc<Authorities>>,
    server: Arc<PoolServer>,
    /// The connections for scripts, one for each [`Priority`].
    urgent_scripts: Arc<SharedConnection>,
    normal_scripts: Arc<SharedConnection>,
    pool: Pool,
    /// Permits of normal operations. Closed with the pool.
    normal: Arc<Semaphore>,
}

/// The permission to take a connection from a pool.
pub(crate) struct PoolPermit {
    /// `None` for an urgent operation.
    _normal: Option<OwnedSemaphorePermit>,
}

/// A connection on loan.
pub(crate) enum LoanedConnection {
    /// Used by one operation.
    Own(OwnConnection),
    /// Shared by scripts.
    Shared(MultiplexedConnection, Arc<SharedConnection>),
}

/// A connection from the pool. Fields drop in this order: the connection is back in the pool before the permit is.
pub(crate) struct OwnConnection {
    connection: Connection,
    _permit: PoolPermit,
}

impl LoanedConnection {
    /// The connection.
    pub(crate) fn connection(&mut self) -> &mut MultiplexedConnection {
        match self {
            Self::Own(own) => &mut own.connection,
            Self::Shared(connection, _) => connection,
        }
    }

    /// Notes that the server has answered.
    pub(crate) fn heard(&self, clock: &Clock) {
        if let Self::Shared(_, shared) = self {
            shared.heard(clock);
        }
    }

    /// Closes the connection instead of returning it to the pool. A shared one closes once its last call has ended.
    pub(crate) fn close(self) {
        if let Self::Own(own) = self {
            drop(Connection::take(own.connection));
        }
    }
}

impl MasterPool {
    /// Returns the data at the other end of its connections; `None` before there was one.
    pub(crate) fn data(&self) -> Option<Arc<DataIdentity>> {
        self.server.data()
    }

    /// Returns whether its connections must not be used any more.
    pub(crate) fn has_other_data(&self) -> bool {
        self.server.has_other_data()
    }

    /// Waits for the permission to take a connection. Returns `None` if the pool has been replaced.
    pub(crate) async fn permit(&self, priority: Priority) -> Option<PoolPermit> {
        let normal = match priority {
            Priority::Urgent => None,
            Priority::Normal => Some(self.normal.clone().acquire_owned().await.ok()?),
        };
        Some(PoolPermit { _normal: normal })
    }

    /// Takes a connection, which is opened if none is idle. Returns `None` if the pool has been replaced.
    pub(crate) async fn lend(&self, permit: PoolPermit) -> RedisResult<Option<LoanedConnection>> {
        match self.pool.get().await {
            Ok(connection) => Ok(Some(LoanedConnection::Own(OwnConnection { connection, _permit: permit }))),
            Err(PoolError::Closed) => Ok(None),
            Err(PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error))) => {
                Err(error)
            }
            Err(PoolError::Timeout(_)) => Err((ErrorKind::Io, "no connection in time").into()),
            Err(_) => Err((ErrorKind::Io, "no connection").into()),
        }
    }
}

impl MasterPool {
    /// Lends the connection that scripts of this priority share. Returns `None` if the server has closed it.
    pub(crate) async fn lend_shared(
        &self,
        priority: Priority,
        pools: &ConnectionPools,
    ) -> RedisResult<Option<LoanedConnection>> {
        let shared = match priority {
            Priority::Urgent => &self.urgent_scripts,
            Priority::Normal => &self.normal_scripts,
        };
        let connection = shared.working(&pools.topology.connector, &self.server, &pools.clock).await?;
        Ok(connection.map(|connection| LoanedConnection::Shared(connection, shared.clone())))
    }
}

impl ConnectionPools {
    /// Allows `per_master` connections to each master, and further ones for urgent operations. Connects on first use.
    pub(crate) fn new(topology: Arc<Topology>, per_master: usize, clock: Clock) -> Self {
        Self { topology, per_master, clock, pools: Mutex::default() }
    }

    fn pools(&self) -> MutexGuard<'_, PoolTable> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the pool to a master. It is replaced if the trusted authorities have changed since its creation.
    pub(crate) fn pool(&self, address: &ServerAddress) -> RedisResult<MasterPool> {
        let connector = &self.topology.connector;
        let trusted = connector.trust.as_ref().map(|trust| trust.current().clone());
        let is_current = |pool: &&MasterPool| match (&pool.trusted, &trusted) {
            (Some(then), Some(now)) => Arc::ptr_eq(then, now),
            _ => true,
        };
        let mut pools = self.pools();
        if let Some(pool) = pools.by_master.get(address).filter(is_current) {
            return Ok(pool.clone());
        }
        if pools.by_master.len() >= MAX_SERVERS {
            let map = self.topology.map();
            pools.by_master.retain(|address, _| map.masters.iter().any(|master| master.address == *address));
        }
        let manager = Manager::new_with_config(connector.info(address)?, connector.config())?;
        let timeout = Some(connector.timeout);
        let server = Arc::new(PoolServer::new(self.topology.clone(), address));
        let pool = Pool::builder(manager)
            .max_size(self.per_master + KEPT_FOR_URGENT)
            .timeouts(Timeouts { wait: timeout, create: timeout, recycle: timeout })
            .runtime(Runtime::Tokio1)
            .post_create(accepting(server.clone()))
            .build()
            .map_err(|_| RedisError::from((ErrorKind::InvalidClientConfig, "no pool")))?;
        pools.created += 1;
        let normal = Arc::new(Semaphore::new(self.per_master));
        let (urgent_scripts, normal_scripts) = Default::default();
        let pool = MasterPool {
            number: pools.created,
            trusted,
            server,
            urgent_scripts,
            normal_scripts,
            pool,
            normal,
        };
        pools.by_master.insert(address.clone(), pool.clone());
        Ok(pool)
    }

    /// Closes the pool with this number, unless it has already been replaced. Operations that wait for one of its
    /// connections get one of the next pool.
    pub(crate) fn discard(&self, address: &ServerAddress, number: u64) {
        let mut pools = self.pools();
        if pools.by_master.get(address).is_some_and(|pool| pool.number == number)
            && let Some(discarded) = pools.by_master.remove(address)
        {
            discarded.pool.close();
            discarded.normal.close();
            self.topology.counters.count_reconnect(ConnectionUse::Operation);
        }
    }
}

/// Returns the hook that lets a new connection wait until the data at its other end is accepted.
fn accepting(server: Arc<PoolServer>) -> Hook {
    Hook::async_fn(move |connection: &mut MultiplexedConnection, _| {
        let server = server.clone();
        let accept = async move { server.accept(connection).await.map_err(HookError::Backend) };
        accept.boxed()
    })
}
