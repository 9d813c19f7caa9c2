//! A connection that concurrent script calls share. Their commands leave as one write, and Redis reads and answers them
//! together: at 32 calls at once, that is cheaper for both sides than a connection for each.

use std::sync::atomic::{AtomicU64, Ordering};

use redis::aio::MultiplexedConnection;
use redis::{RedisError, RedisResult, cmd};
use tokio::sync::OnceCell;

use super::address::ServerAddress;
use super::connector::Connector;
use crate::clock::Clock;

/// A connection that nothing was heard from for so long is asked for an answer before a script is sent on it: the server may
/// have closed it, and a script that was sent and not answered must not be sent again.
const SILENT_MS: u64 = 10;

/// A shared connection to one master. It is opened on first use.
#[derive(Default)]
pub(crate) struct SharedConnection {
    connection: OnceCell<MultiplexedConnection>,
    /// When something was last heard from the server, on the monotonic clock.
    heard_ms: AtomicU64,
}

impl SharedConnection {
    /// Returns the connection. `None` if it was silent and does not answer. Opening and asking are bounded by the caller's
    /// timeout.
    pub(crate) async fn working(
        &self,
        connector: &Connector,
        address: &ServerAddress,
        clock: &Clock,
    ) -> RedisResult<Option<MultiplexedConnection>> {
        let open = async || {
            let opened = connector.connect_shared(address).await?;
            self.heard(clock);
            Ok::<_, RedisError>(opened)
        };
        let mut connection = self.connection.get_or_try_init(open).await?.clone();
        if clock.boottime_ms().saturating_sub(self.heard_ms.load(Ordering::Relaxed)) < SILENT_MS {
            return Ok(Some(connection));
        }
        match cmd("PING").exec_async(&mut connection).await {
            Err(error) if error.is_connection_dropped() => Ok(None),
            answer => {
                answer?;
                self.heard(clock);
                Ok(Some(connection))
            }
        }
    }

    /// Notes that the server has answered.
    pub(crate) fn heard(&self, clock: &Clock) {
        self.heard_ms.store(clock.boottime_ms(), Ordering::Relaxed);
    }
}
