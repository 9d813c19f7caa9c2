//! A connection that concurrent script calls share. Their commands leave as one write, and Redis reads and answers them
//! together: at 32 calls at once, that is cheaper for both sides than a connection for each.
//!
//! **A script is sent at most once**, because one that was sent and not answered may have run. So a connection that the
//! server has closed must be noticed before a script is sent on it: the socket is asked before each script. If nothing
//! was heard for a while, the server is asked, too: a firewall may have forgotten the connection.

use std::sync::atomic::{AtomicU64, Ordering};

use redis::aio::MultiplexedConnection;
use redis::{RedisError, RedisResult, cmd};
use tokio::sync::OnceCell;
use tokio::task::AbortHandle;

use super::connector::Connector;
use super::pool_server::PoolServer;
use super::socket::{SmallWrites, Socket, SocketWatch};
use crate::clock::Clock;

/// If nothing was heard from the server for so long, it is asked for an answer before a script is sent.
const SILENT_MS: u64 = 10;

/// A shared connection to one master. It is opened on first use.
#[derive(Default)]
pub(crate) struct SharedConnection {
    opened: OnceCell<OpenedConnection>,
    /// When something was last heard from the server, on the monotonic clock.
    heard_ms: AtomicU64,
}

/// An open connection. When it is dropped, the socket closes.
struct OpenedConnection {
    commands: MultiplexedConnection,
    /// The task that writes the commands and reads the answers.
    driver: AbortHandle,
    socket: SocketWatch,
}

impl OpenedConnection {
    /// Connects, logs in, and waits until the data of the server is accepted. The caller limits the time of this and of each call.
    async fn open(connector: &Connector, server: &PoolServer) -> RedisResult<Self> {
        let address = server.address();
        let Socket { stream, watch } = Socket::connect(connector, address, SmallWrites::Collected).await?;
        let config = connector.config().set_response_timeout(None);
        let (commands, driver) =
            MultiplexedConnection::new_with_config(connector.login(), stream, config).await?;
        let mut opened = Self { commands, driver: tokio::spawn(driver).abort_handle(), socket: watch };
        server.accept(&mut opened.commands).await?;
        Ok(opened)
    }

    fn is_closed(&self) -> bool {
        self.driver.is_finished() || self.socket.is_closed()
    }
}

impl Drop for OpenedConnection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl SharedConnection {
    /// Returns the connection. `None` if the server has closed it, or it was silent and does not answer. Opening and
    /// asking are bounded by the caller's timeout.
    ///
    /// # Errors
    /// An error of a new connection, or the server's error.
    pub(crate) async fn working(
        &self,
        connector: &Connector,
        server: &PoolServer,
        clock: &Clock,
    ) -> RedisResult<Option<MultiplexedConnection>> {
        let open = async || {
            let opened = OpenedConnection::open(connector, server).await?;
            self.heard(clock);
            Ok::<_, RedisError>(opened)
        };
        let opened = self.opened.get_or_try_init(open).await?;
        if opened.is_closed() {
            return Ok(None);
        }
        let mut commands = opened.commands.clone();
        if clock.boottime_ms().saturating_sub(self.heard_ms.load(Ordering::Relaxed)) < SILENT_MS {
            return Ok(Some(commands));
        }
        match cmd("PING").exec_async(&mut commands).await {
            Err(error) if error.is_connection_dropped() => Ok(None),
            answer => {
                answer?;
                self.heard(clock);
                Ok(Some(commands))
            }
        }
    }

    /// Notes that the server has answered.
    pub(crate) fn heard(&self, clock: &Clock) {
        self.heard_ms.store(clock.boottime_ms(), Ordering::Relaxed);
    }
}
