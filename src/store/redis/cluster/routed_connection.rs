//! The connection that a lifecycle operation uses: it leads to the master of the keys, and follows redirects.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures_util::FutureExt as _;
use redis::aio::ConnectionLike;
use redis::{Arg, Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, RedisResult, Value, cmd};

use super::address::ServerAddress;
use super::data_identity::DataIdentity;
use super::pool::{ConnectionPools, LoanedConnection, Priority, Sharing};
use super::redirect::Redirect;
use super::slots::slot_of_key;
use crate::store::error::StoreError;
use crate::store::redis::counters::{ConnectionUse, RedisCounters, RedisErrorKind};
use crate::store::redis::errors::{describe, first_error, store_error};
use crate::values::DurableWrites;

impl ConnectionPools {
    /// Runs an operation, within the timeout. Its first command must have a key. A command without a key goes to the same
    /// server as the previous one.
    pub(crate) async fn run<T>(
        &self,
        priority: Priority,
        sharing: Sharing,
        operation: impl AsyncFnOnce(&mut RoutedConnection<'_>) -> Result<T, RedisError>,
    ) -> Result<T, StoreError> {
        self.run_within(self.topology.connector.timeout, priority, sharing, operation).await
    }

    /// Runs an operation within another time.
    pub(crate) async fn run_within<T>(
        &self,
        limit: Duration,
        priority: Priority,
        sharing: Sharing,
        operation: impl AsyncFnOnce(&mut RoutedConnection<'_>) -> Result<T, RedisError>,
    ) -> Result<T, StoreError> {
        self.topology.gate.check()?;
        let (held, last, data) = (None, None, None);
        let mut connection = RoutedConnection { pools: self, priority, sharing, held, last, data };
        let outcome = tokio::time::timeout(limit, operation(&mut connection)).await;
        match outcome {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => {
                let error = first_error(error);
                let kind = RedisErrorKind::of(&error);
                self.topology.counters.count_error(ConnectionUse::Operation, kind);
                // A demoted master, or a broken connection, is not used again.
                if error.code() == Some("READONLY") || error.is_io_error() {
                    connection.give_up(&describe(&error));
                }
                Err(store_error(error))
            }
            Err(_) => {
                self.topology.counters.count_error(ConnectionUse::Operation, RedisErrorKind::Timeout);
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
}

/// The connection of an operation. Each command goes to the master of its first key, and elsewhere on a redirect.
pub(crate) struct RoutedConnection<'a> {
    pools: &'a ConnectionPools,
    priority: Priority,
    sharing: Sharing,
    held: Option<(ServerAddress, LoanedConnection)>,
    /// The address and number of the pool that was last asked for a connection.
    last: Option<(ServerAddress, u64)>,
    /// The data at the other end of the connection that was last lent.
    data: Option<Arc<DataIdentity>>,
}

impl RoutedConnection<'_> {
    /// Returns a connection to the master of the slot. Without a slot, returns the one that is held.
    async fn at(&mut self, slot: Option<u16>) -> RedisResult<&mut (ServerAddress, LoanedConnection)> {
        let address = match (slot, &self.held) {
            (None, Some((address, _))) => address.clone(),
            (slot, _) => self.pools.owner(slot.unwrap_or(0)).await?,
        };
        self.at_address(address).await
    }

    async fn at_address(
        &mut self,
        address: ServerAddress,
    ) -> RedisResult<&mut (ServerAddress, LoanedConnection)> {
        match self.held.take() {
            Some(held) if held.0 == address => Ok(self.held.insert(held)),
            // Returned to its pool before the operation waits for another one.
            other => {
                drop(other);
                let connection =
                    self.connect(&address).await.inspect_err(|_| self.pools.topology.refresh_soon())?;
                Ok(self.held.insert((address, connection)))
            }
        }
    }

    /// Takes a connection from the pool to this address, and from its successor if the pool is replaced meanwhile.
    async fn connect(&mut self, address: &ServerAddress) -> RedisResult<LoanedConnection> {
        let (pools, began) = (self.pools, self.pools.clock.reading());
        let connection = self.lend(address).await;
        self.counters().pool_wait.observe(pools.clock.elapsed_ns(began) as f64 / 1e9);
        connection
    }

    async fn lend(&mut self, address: &ServerAddress) -> RedisResult<LoanedConnection> {
        loop {
            let pool = self.pools.pool(address)?;
            if pool.has_other_data() {
                self.pools.discard(address, pool.number);
                continue;
            }
            if self.sharing == Sharing::Shared {
                self.last = Some((address.clone(), pool.number));
                match pool.lend_shared(self.priority, self.pools).await? {
                    Some(connection) => {
                        self.data = pool.data();
                        return Ok(connection);
                    }
                    None => self.pools.discard(address, pool.number),
                }
                continue;
            }
            let Some(permit) = pool.permit(self.priority).await else { continue };
            // From here on a timeout means that the pool is at fault. Before, all connections were merely in use.
            self.last = Some((address.clone(), pool.number));
            if let Some(connection) = pool.lend(permit).await? {
                self.data = pool.data();
                return Ok(connection);
            }
        }
    }

    /// Returns what tells whether the data that the last command met is still accepted.
    pub(crate) fn acceptance(&self) -> Option<Arc<AtomicBool>> {
        self.data.as_ref().map(|data| data.acceptance())
    }

    /// Waits until what this connection has written is as durable as demanded, at most so long. Returns whether it is. The
    /// connection must be the operation's own.
    pub(crate) async fn wait_until_durable(
        &mut self,
        writes: DurableWrites,
        limit: Duration,
    ) -> RedisResult<bool> {
        let timeout = self.pools.topology.connector.timeout;
        let Some((_, connection)) = &mut self.held else { return Ok(false) };
        let connection = connection.connection();
        connection.set_response_timeout(limit + timeout);
        let limit_ms = limit.as_millis() as u64;
        let is_durable = match writes {
            DurableWrites::None => Ok(true),
            DurableWrites::Replicas(replicas) => {
                let wait = cmd("WAIT").arg(replicas).arg(limit_ms).to_owned();
                wait.query_async(connection).await.map(|acknowledged: u64| acknowledged >= replicas.into())
            }
            DurableWrites::Disk => {
                let wait = cmd("WAITAOF").arg(1).arg(0).arg(limit_ms).to_owned();
                wait.query_async(connection).await.map(|(local, _): (u64, u64)| local >= 1)
            }
        };
        connection.set_response_timeout(timeout);
        is_durable
    }

    fn counters(&self) -> &RedisCounters {
        &self.pools.topology.counters
    }

    async fn follow(&mut self, redirect: Redirect, command: &Cmd) -> RedisResult<Value> {
        self.pools.topology.refresh_soon();
        self.counters().count_round_trip(ConnectionUse::Operation);
        let (_, connection) = self.at_address(redirect.to).await?;
        if redirect.is_asking {
            connection.connection().req_packed_command(&cmd("ASKING")).await?.extract_error()?;
        }
        connection.connection().req_packed_command(command).await
    }

    /// Returns whether the server closed the connection before it answered, and if so gives the connection up. The
    /// command may then be sent again, unless it is a script: executing any other command twice changes nothing.
    fn is_lost<T>(&mut self, answer: &RedisResult<T>) -> bool {
        let Some(error) = answer.as_ref().err().filter(|error| error.is_connection_dropped()) else {
            return false;
        };
        self.give_up(&describe(error));
        true
    }

    /// Closes the connection and its pool.
    fn give_up(&mut self, reason: &str) {
        if let Some((_, connection)) = self.held.take() {
            connection.close();
        }
        if let Some((address, number)) = self.last.take() {
            tracing::debug!(reason, master = %address, "connection pool replaced");
            self.pools.discard(&address, number);
        }
        self.pools.topology.refresh_soon();
    }
}

impl ConnectionLike for RoutedConnection<'_> {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        async move {
            let slot = slot_of(command);
            self.counters().count_round_trip(ConnectionUse::Operation);
            let (_, connection) = self.at(slot).await?;
            let mut answer = connection.connection().req_packed_command(command).await;
            if self.is_lost(&answer) && slot.is_some() && !is_script(command) {
                let (_, connection) = self.at(slot).await?;
                answer = connection.connection().req_packed_command(command).await;
            }
            let Some((address, connection)) = &self.held else { return answer };
            if answer.is_ok() {
                connection.heard(&self.pools.clock);
            }
            let redirect = match &answer {
                Ok(value) => redirect_in(value, address),
                Err(error) => Redirect::of_error(error, address),
            };
            match redirect {
                // While a slot moves, neither server has all keys that a script may need: a server that has only the
                // index would take tokens for gone. So a script fails until its slot has arrived.
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
            self.counters().count_round_trip(ConnectionUse::Operation);
            let (_, connection) = self.at(slot).await?;
            let mut answers = connection.connection().req_packed_commands(pipeline, offset, count).await;
            if self.is_lost(&answers) && slot.is_some() && !pipeline.cmd_iter().any(is_script) {
                let (_, connection) = self.at(slot).await?;
                answers = connection.connection().req_packed_commands(pipeline, offset, count).await;
            }
            let mut answers = answers?;
            let Some(address) = self.held.as_ref().map(|(address, _)| address.clone()) else {
                return Ok(answers);
            };
            // While a slot moves, some of its keys are on one server and some on the other.
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
        self.pools.topology.connector.login().db()
    }
}

fn redirect_in(answer: &Value, asked: &ServerAddress) -> Option<Redirect> {
    let Value::ServerError(error) = answer else { return None };
    Redirect::parse(error.code(), error.details()?, asked)
}

fn is_script(command: &Cmd) -> bool {
    matches!(command.args_iter().next(), Some(Arg::Simple(b"EVALSHA" | b"EVAL")))
}

/// Returns the slot of a command's first key; `None` if it has no key.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_of_a_command_decides_its_slot() {
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
