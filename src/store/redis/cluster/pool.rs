//! The connections of lifecycle operations: a pool per master, and an operation finds the right one by its keys.
//!
//! Not the library's own cluster client: while one master is silent it holds up the calls to all others, because it
//! asks for the slots, and connects, under a lock that every call takes.
//!
//! **When one connection of a pool fails, the whole pool is replaced.** A firewall that forgets its flows, a fail-over or
//! a restart kills all idle connections at once, and a silent one costs its finder a whole timeout.
//!
//! **Each pool keeps a connection for urgent operations.** Whatever else is asked, and however slowly it is answered, a
//! revocation waits for other revocations only. See [`Priority`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deadpool_redis::{Connection as Pooled, Manager, Pool, PoolError, Runtime, Timeouts};
use futures_util::FutureExt as _;
use redis::aio::ConnectionLike;
use redis::{Arg, Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, RedisResult, Value, cmd};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::endpoint::ServerAddress;
use super::master_map::MAX_SERVERS;
use super::slots::slot_of_key;
use super::tls::Authorities;
use super::topology::Topology;
use crate::store::error::StoreError;
use crate::store::redis::errors::{describe, first_error, store_error};

/// ConnectionPools to each master that only urgent operations use.
pub(crate) const KEPT_FOR_URGENT: usize = 1;

/// Decides which connections an operation may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priority {
    /// A revocation, or a look at the clock or the token key, without which there is none. May use every connection.
    Urgent,
    /// Everything else. May use all connections but [`KEPT_FOR_URGENT`].
    Normal,
}

/// See the module.
pub(crate) struct ConnectionPools {
    pub(crate) topology: Arc<Topology>,
    per_master: usize,
    pools: Mutex<Pools>,
}

#[derive(Default)]
struct Pools {
    by_master: HashMap<ServerAddress, MasterPool>,
    /// Pools made so far.
    made: u64,
}

/// A pool and what it was made with.
#[derive(Clone)]
struct MasterPool {
    /// No other pool has it.
    number: u64,
    trusted: Option<Arc<Authorities>>,
    pool: Pool,
    /// The connections that normal operations may use at once. Closed with the pool.
    normal: Arc<Semaphore>,
}

/// A connection on loan. The fields are dropped in this order: the connection is back before the permit.
struct LoanedConnection {
    connection: Pooled,
    /// `None` for an urgent operation.
    _permit: Option<OwnedSemaphorePermit>,
}

impl ConnectionPools {
    /// At most `per_master` connections to each master, and those kept for urgent operations. Connects when it is first asked.
    pub(crate) fn new(topology: Arc<Topology>, per_master: usize) -> Self {
        Self { topology, per_master, pools: Mutex::default() }
    }

    /// Runs an operation, within the timeout. Its first command must have a key; a command without one goes where the
    /// last one went.
    pub(crate) async fn run<T>(
        &self,
        priority: Priority,
        operation: impl AsyncFnOnce(&mut RoutedConnection<'_>) -> Result<T, RedisError>,
    ) -> Result<T, StoreError> {
        self.topology.gate.check()?;
        let mut connection = RoutedConnection { all: self, priority, held: None, last: None };
        let outcome = tokio::time::timeout(self.topology.connector.timeout, operation(&mut connection)).await;
        match outcome {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => {
                let error = first_error(error);
                connection.after(&error);
                Err(store_error(error))
            }
            Err(_) => {
                connection.give_up("no answer in time");
                Err(StoreError::Unavailable("no answer in time".into()))
            }
        }
    }

    async fn owner(&self, slot: u16) -> RedisResult<ServerAddress> {
        let known = || self.topology.map().owner(slot).map(|master| master.address.clone());
        if let Some(address) = known() {
            return Ok(address);
        }
        self.topology.refresh().await;
        known().ok_or_else(|| (ErrorKind::Io, "no server is known to have this").into())
    }

    fn pools(&self) -> MutexGuard<'_, Pools> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pool to a master; a new one if whom to trust has changed since it was made.
    fn pool(&self, address: &ServerAddress) -> RedisResult<MasterPool> {
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
        let manager = Manager::new_with_config(connector.info(address)?, connector.limits())?;
        let timeout = Some(connector.timeout);
        let pool = Pool::builder(manager)
            .max_size(self.per_master + KEPT_FOR_URGENT)
            .timeouts(Timeouts { wait: timeout, create: timeout, recycle: timeout })
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|_| RedisError::from((ErrorKind::InvalidClientConfig, "no pool")))?;
        pools.made += 1;
        let normal = Arc::new(Semaphore::new(self.per_master));
        let pool = MasterPool { number: pools.made, trusted, pool, normal };
        pools.by_master.insert(address.clone(), pool.clone());
        Ok(pool)
    }

    /// Closes this pool, unless it was replaced already; those who wait for a connection of it get one of the next.
    fn discard(&self, address: &ServerAddress, number: u64) {
        let mut pools = self.pools();
        if pools.by_master.get(address).is_some_and(|pool| pool.number == number)
            && let Some(discarded) = pools.by_master.remove(address)
        {
            discarded.pool.close();
            discarded.normal.close();
        }
    }
}

/// What an operation asks: goes to the master that has the keys, and follows when that one sends it elsewhere.
pub(crate) struct RoutedConnection<'a> {
    all: &'a ConnectionPools,
    priority: Priority,
    held: Option<(ServerAddress, LoanedConnection)>,
    /// The pool that was asked last for a connection: to whom, and its number.
    last: Option<(ServerAddress, u64)>,
}

/// Where a server said to go.
struct Redirect {
    to: ServerAddress,
    /// The slot is on its way there: the server must be told that we know.
    is_asking: bool,
}

impl RoutedConnection<'_> {
    /// A connection to the master of the slot, or the one there is.
    async fn at(&mut self, slot: Option<u16>) -> RedisResult<&mut (ServerAddress, LoanedConnection)> {
        let address = match (slot, &self.held) {
            (None, Some((address, _))) => address.clone(),
            (slot, _) => self.all.owner(slot.unwrap_or(0)).await?,
        };
        self.at_address(address).await
    }

    async fn at_address(
        &mut self,
        address: ServerAddress,
    ) -> RedisResult<&mut (ServerAddress, LoanedConnection)> {
        match self.held.take() {
            Some(held) if held.0 == address => Ok(self.held.insert(held)),
            // Given back before another is waited for.
            other => {
                drop(other);
                let connection =
                    self.connect(&address).await.inspect_err(|_| self.all.topology.refresh_soon())?;
                Ok(self.held.insert((address, connection)))
            }
        }
    }

    async fn connect(&mut self, address: &ServerAddress) -> RedisResult<LoanedConnection> {
        loop {
            let MasterPool { number, pool, normal, .. } = self.all.pool(address)?;
            let permit = match self.priority {
                Priority::Urgent => None,
                Priority::Normal => match normal.acquire_owned().await {
                    Ok(permit) => Some(permit),
                    // The pool was replaced meanwhile.
                    Err(_) => continue,
                },
            };
            // Only from here on does a timeout mean that the pool is at fault: before, it was merely in use.
            self.last = Some((address.clone(), number));
            match pool.get().await {
                Ok(connection) => return Ok(LoanedConnection { connection, _permit: permit }),
                // It was replaced meanwhile.
                Err(PoolError::Closed) => {}
                Err(PoolError::Backend(error)) => return Err(error),
                Err(PoolError::Timeout(_)) => return Err((ErrorKind::Io, "no connection in time").into()),
                Err(_) => return Err((ErrorKind::Io, "no connection").into()),
            }
        }
    }

    async fn follow(&mut self, redirect: Redirect, command: &Cmd) -> RedisResult<Value> {
        self.all.topology.refresh_soon();
        let (_, LoanedConnection { connection, .. }) = self.at_address(redirect.to).await?;
        if redirect.is_asking {
            connection.req_packed_command(&cmd("ASKING")).await?.extract_error()?;
        }
        connection.req_packed_command(command).await
    }

    /// A master that was demoted, or that broke, is not asked again on these connections.
    fn after(&mut self, error: &RedisError) {
        if error.code() == Some("READONLY") || error.is_io_error() {
            self.give_up(&describe(error));
        }
    }

    /// Whether the other side closed the connection before the answer: then it is given up, and the next command goes by
    /// a new one. All but scripts may be sent again: it changes nothing to do them twice.
    fn is_lost<T>(&mut self, answer: &RedisResult<T>) -> bool {
        let Some(error) = answer.as_ref().err().filter(|error| error.is_connection_dropped()) else {
            return false;
        };
        self.give_up(&describe(error));
        true
    }

    /// Closes the connection, and the pool it is of.
    fn give_up(&mut self, reason: &str) {
        if let Some((_, lent)) = self.held.take() {
            drop(Pooled::take(lent.connection));
        }
        if let Some((address, number)) = self.last.take() {
            tracing::debug!(reason, master = %address, "connection pool replaced");
            self.all.discard(&address, number);
        }
        self.all.topology.refresh_soon();
    }
}

impl ConnectionLike for RoutedConnection<'_> {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        async move {
            let slot = slot_of(command);
            let (_, LoanedConnection { connection, .. }) = self.at(slot).await?;
            let mut answer = connection.req_packed_command(command).await;
            if self.is_lost(&answer) && slot.is_some() && !is_script(command) {
                let (_, LoanedConnection { connection, .. }) = self.at(slot).await?;
                answer = connection.req_packed_command(command).await;
            }
            let Some((address, _)) = &self.held else { return answer };
            let redirect = match &answer {
                Ok(value) => redirect_in(value, address),
                Err(error) => redirect(error, address),
            };
            match redirect {
                // Halfway between two servers neither has all that a script may need: a server that has only the index
                // would take tokens for gone. So a script waits until its slot has arrived.
                Some(Redirect { is_asking: true, .. }) if is_script(command) => answer,
                Some(redirect) => self.follow(redirect, command).await,
                None => answer,
            }
        }
        .boxed()
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        async move {
            let slot = pipeline.cmd_iter().find_map(slot_of);
            let (_, LoanedConnection { connection, .. }) = self.at(slot).await?;
            let mut answers = connection.req_packed_commands(pipeline, offset, count).await;
            if self.is_lost(&answers) && slot.is_some() && !pipeline.cmd_iter().any(is_script) {
                let (_, LoanedConnection { connection, .. }) = self.at(slot).await?;
                answers = connection.req_packed_commands(pipeline, offset, count).await;
            }
            let mut answers = answers?;
            let Some(address) = self.held.as_ref().map(|(address, _)| address.clone()) else {
                return Ok(answers);
            };
            // While a slot is on its way, some of its keys are here and some there.
            for (answer, command) in answers.iter_mut().zip(pipeline.cmd_iter().skip(offset)) {
                if let Some(redirect) = redirect_in(answer, &address) {
                    *answer = self.follow(redirect, command).await?;
                }
            }
            Ok(answers)
        }
        .boxed()
    }

    fn get_db(&self) -> i64 {
        self.all.topology.connector.login().db()
    }
}

fn is_script(command: &Cmd) -> bool {
    matches!(command.args_iter().next(), Some(Arg::Simple(b"EVALSHA" | b"EVAL")))
}

/// The slot of a command's first key; `None` where it has no key.
fn slot_of(command: &Cmd) -> Option<u16> {
    let mut arguments = command.args_iter().map(|argument| match argument {
        Arg::Simple(bytes) => bytes,
        _ => b"",
    });
    let key = match arguments.next()? {
        b"EVALSHA" | b"EVAL" => match arguments.nth(1)? {
            b"0" => None,
            _ => arguments.next(),
        },
        b"PUBLISH" | b"SCRIPT" | b"TIME" | b"INFO" | b"PING" | b"WAIT" | b"WAITAOF" => None,
        _ => arguments.next(),
    };
    key.map(slot_of_key)
}

fn redirect_in(answer: &Value, asked: &ServerAddress) -> Option<Redirect> {
    match answer {
        Value::ServerError(error) => redirect(&error.clone().into(), asked),
        _ => None,
    }
}

fn redirect(error: &RedisError, asked: &ServerAddress) -> Option<Redirect> {
    let (node, _slot) = error.redirect_node()?;
    Some(Redirect { to: ServerAddress::parse(node, asked)?, is_asking: error.code() == Some("ASK") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_tells_the_slot() {
        let slot = slot_of_key(b"{a}");
        let command = |name: &str, arguments: &[&str]| cmd(name).arg(arguments).to_owned();
        assert_eq!(slot_of(&command("GET", &["x{a}"])), Some(slot));
        assert_eq!(slot_of(&command("HGETALL", &["x{a}"])), Some(slot));
        assert_eq!(slot_of(&command("EVALSHA", &["hash", "2", "x{a}", "y{a}", "z"])), Some(slot));
        assert_eq!(slot_of(&command("EVALSHA", &["hash", "0", "x{a}"])), None);
        assert_eq!(slot_of(&command("EVALSHA", &["hash"])), None);
        assert_eq!(slot_of(&command("SCRIPT", &["LOAD", "return 1"])), None);
        assert_eq!(slot_of(&command("TIME", &[])), None);
    }
}
