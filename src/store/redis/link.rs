//! A multiplexed connection that comes back: while it is down every use fails at once, and a task reopens it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError, cmd};

use super::describe;
use crate::store::StoreError;

/// The pause before each further attempt to connect: short enough that an outage ends within a second of the
/// server's return.
pub(super) const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

/// See the module.
pub(super) struct Link {
    client: Client,
    config: AsyncConnectionConfig,
    /// The key of the write that shows that the server is a master.
    probe: String,
    state: Mutex<State>,
}

/// The connection while there is one, and how many there were: a look-up that fails late must not take down the
/// connection that came after its own.
struct State {
    connection: Option<Open>,
    generation: u64,
}

/// An open connection.
#[derive(Clone)]
pub(super) struct Open {
    pub(super) connection: MultiplexedConnection,
    /// The server at its other end.
    pub(super) run_id: Arc<str>,
    generation: u64,
}

impl Link {
    /// Tries to connect once; when that fails a task goes on trying.
    pub(super) async fn open(client: Client, config: AsyncConnectionConfig, probe: String) -> Arc<Self> {
        let state = Mutex::new(State { connection: None, generation: 0 });
        let link = Arc::new(Self { client, config, probe, state });
        if !link.connect().await {
            link.reconnect();
        }
        link
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection, or at once the error that there is none: requests do not pile up behind an outage.
    pub(super) fn connection(&self) -> Result<Open, StoreError> {
        self.state().connection.clone().ok_or_else(|| StoreError::Unavailable("not connected".into()))
    }

    async fn connect(&self) -> bool {
        match self.connect_to_master().await {
            Ok((connection, run_id)) => {
                let mut state = self.state();
                state.generation += 1;
                state.connection = Some(Open { connection, run_id, generation: state.generation });
                true
            }
            Err(error) => {
                tracing::debug!(error = describe(&error), "a validation connection cannot be opened");
                false
            }
        }
    }

    /// A server that takes no writes is none to connect to: it is asked again after the pause, and may be another
    /// one by then.
    async fn connect_to_master(&self) -> Result<(MultiplexedConnection, Arc<str>), RedisError> {
        let (mut connection, run_id) = connect(&self.client, &self.config).await?;
        cmd("DEL").arg(&self.probe).exec_async(&mut connection).await?;
        Ok((connection, run_id))
    }

    /// Takes a connection that failed out of use and starts to bring it back, once however many uses notice.
    pub(super) fn lost(self: &Arc<Self>, failed: &Open) {
        let mut state = self.state();
        if state.generation == failed.generation && state.connection.take().is_some() {
            drop(state);
            self.reconnect();
        }
    }

    fn reconnect(self: &Arc<Self>) {
        let link = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Some(link) = link.upgrade() {
                if link.connect().await {
                    return;
                }
                drop(link);
                tokio::time::sleep(RECONNECT_PAUSE).await;
            }
        });
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
