//! A multiplexed connection that comes back: while it is down every use fails at once, and a task reopens it.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, PushInfo, PushKind, RedisError, cmd};
use tokio::sync::Notify;

use super::describe;
use crate::store::StoreError;

/// The pause before each further attempt to connect: short enough that an outage ends within a second of the
/// server's return.
pub(super) const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

/// See the module.
pub(super) struct Link {
    client: Client,
    config: AsyncConnectionConfig,
    current: Mutex<Option<Open>>,
}

/// An open connection.
#[derive(Clone)]
pub(super) struct Open {
    pub(super) connection: MultiplexedConnection,
    /// The server at its other end.
    pub(super) run_id: Arc<str>,
    /// Told when the connection broke, by its driver or by a use of it.
    broken: Arc<Notify>,
}

impl Link {
    /// Tries to connect once; a task goes on trying, and does so again whenever the connection breaks. `client`
    /// must speak RESP3: without it the crate tells nobody that a connection broke while it was not used, and
    /// the first look-up after an outage would pay for that.
    pub(super) async fn open(client: Client, config: AsyncConnectionConfig) -> Arc<Self> {
        let link = Arc::new(Self { client, config, current: Mutex::default() });
        let broken = link.connect().await;
        tokio::spawn(link.clone().keep(broken));
        link
    }

    fn current(&self) -> MutexGuard<'_, Option<Open>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection, or at once the error that there is none: requests do not pile up behind an outage.
    pub(super) fn connection(&self) -> Result<Open, StoreError> {
        self.current().clone().ok_or_else(|| StoreError::Unavailable("not connected".into()))
    }

    /// Takes a connection that failed out of use. One that came after it stays: look-ups may fail late.
    pub(super) fn lost(&self, failed: &Open) {
        self.current().take_if(|open| Arc::ptr_eq(&open.broken, &failed.broken));
        failed.broken.notify_one();
    }

    /// The worker: connects anew each time that the connection broke. Ends with its runtime.
    async fn keep(self: Arc<Self>, mut broken: Option<Arc<Notify>>) -> Infallible {
        loop {
            match broken.take() {
                Some(broken) => {
                    broken.notified().await;
                    *self.current() = None;
                }
                None => tokio::time::sleep(RECONNECT_PAUSE).await,
            }
            broken = self.connect().await;
        }
    }

    /// Tries to connect; gives what will tell that the connection broke.
    async fn connect(&self) -> Option<Arc<Notify>> {
        let broken = Arc::new(Notify::new());
        let tell = broken.clone();
        let on_push = move |push: PushInfo| {
            if push.kind == PushKind::Disconnection {
                tell.notify_one();
            }
            Ok::<_, Infallible>(())
        };
        match connect(&self.client, &self.config.clone().set_push_sender(on_push)).await {
            Ok((connection, run_id)) => {
                *self.current() = Some(Open { connection, run_id, broken: broken.clone() });
                Some(broken)
            }
            Err(error) => {
                tracing::debug!(error = describe(&error), "a validation connection cannot be opened");
                None
            }
        }
    }
}

/// Connects, and asks which server that is: behind one address there may be another one next time, and only
/// what the tracked one answered may be cached.
pub(super) async fn connect(
    client: &Client,
    config: &AsyncConnectionConfig,
) -> Result<(MultiplexedConnection, Arc<str>), RedisError> {
    let mut connection = client.get_multiplexed_async_connection_with_config(config).await?;
    let info: String = cmd("INFO").arg("server").query_async(&mut connection).await?;
    let run_id = info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default();
    Ok((connection, run_id.trim().into()))
}
