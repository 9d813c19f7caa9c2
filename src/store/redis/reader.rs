//! The hot path's own connection: one multiplexed connection per runtime, over which concurrent look-ups
//! pipeline themselves. While it is down every look-up fails at once; a task brings it back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, Cmd};

use super::keys::Keys;
use super::{codec, describe, store_error};
use crate::secret::TokenId;
use crate::store::StoreError;
use crate::token::Credential;

/// The pause before each further attempt to connect: short enough that an outage ends within a second of the
/// server's return.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

/// Reads credentials; see the module. Clones share the connection.
#[derive(Clone)]
pub struct Reader {
    link: Arc<Link>,
    keys: Keys,
}

struct Link {
    client: Client,
    config: AsyncConnectionConfig,
    state: Mutex<State>,
}

/// The connection while there is one, and how many there were: a look-up that fails late must not take down the
/// connection that came after its own.
struct State {
    connection: Option<MultiplexedConnection>,
    generation: u64,
}

impl Reader {
    /// Tries to connect once; when that fails a task goes on trying.
    pub(super) async fn open(client: Client, config: AsyncConnectionConfig, keys: Keys) -> Self {
        let state = Mutex::new(State { connection: None, generation: 0 });
        let link = Arc::new(Link { client, config, state });
        if !link.connect().await {
            link.reconnect();
        }
        Self { link, keys }
    }

    pub(in crate::store) async fn credential(
        &self,
        id: TokenId,
    ) -> Result<Option<Arc<Credential>>, StoreError> {
        let (mut connection, generation) = self.link.connection()?;
        let mut command = Cmd::with_capacity(2 + codec::HOT_FIELDS.len(), 96);
        command.arg("HMGET").arg(self.keys.token(id)).arg(&codec::HOT_FIELDS[..]);
        match connection.req_packed_command(&command).await {
            Ok(answer) => codec::credential(id, &answer),
            Err(error) => {
                if error.is_io_error() || error.is_timeout() || error.is_connection_dropped() {
                    self.link.lost(generation);
                }
                Err(store_error(error))
            }
        }
    }
}

impl Link {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection, or at once the error that there is none: requests do not pile up behind an outage.
    fn connection(&self) -> Result<(MultiplexedConnection, u64), StoreError> {
        let state = self.state();
        match &state.connection {
            Some(connection) => Ok((connection.clone(), state.generation)),
            None => Err(StoreError::Unavailable("not connected".into())),
        }
    }

    async fn connect(&self) -> bool {
        match self.client.get_multiplexed_async_connection_with_config(&self.config).await {
            Ok(connection) => {
                let mut state = self.state();
                state.connection = Some(connection);
                state.generation += 1;
                true
            }
            Err(error) => {
                tracing::debug!(error = describe(&error), "a validation connection cannot be opened");
                false
            }
        }
    }

    /// Takes a connection out of use and starts to bring it back, once however many look-ups notice.
    fn lost(self: &Arc<Self>, generation: u64) {
        let mut state = self.state();
        if state.generation == generation && state.connection.take().is_some() {
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
