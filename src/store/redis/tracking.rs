//! The invalidation listener: one RESP3 connection that hears of every change to a token, and by its heartbeat
//! keeps the near cache's lease alive. Nothing else uses it.
//!
//! Pushes are applied by the connection's driver itself, in the order of its input: when a heartbeat's answer
//! resolves, every push that came before it has been applied. That is what the lease rests on.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use redis::{Client, ProtocolVersion, PushInfo, PushKind, RedisError, Value, cmd};
use tokio::sync::Notify;

use super::describe;
use super::keys::Keys;
use super::link::{Address, Link};
use super::look_ups::{RECONNECT_PAUSE, run_id_in};
use super::near::{Near, SERVER};

/// The lease outlives so many heartbeats: one that comes late costs nothing.
const HEARTBEATS_PER_LEASE: u32 = 4;

/// The worker of one server.
pub(super) struct Tracking {
    pub(super) near: Arc<Near>,
    pub(super) keys: Keys,
    pub(super) link: Link,
    pub(super) address: Option<Address>,
}

impl Tracking {
    /// Listens, and connects anew when that breaks. Ends with its runtime.
    pub(super) async fn run(self) -> Infallible {
        loop {
            let Err(reason) = self.listen().await;
            tracing::debug!(reason, "the invalidation listener lost its connection");
            tokio::time::sleep(RECONNECT_PAUSE).await;
        }
    }

    /// One connection, until it breaks or an answer to a heartbeat is missing.
    async fn listen(&self) -> Result<Infallible, String> {
        let (Some(cache), Some(address)) = (&self.near.cache, &self.address) else {
            return std::future::pending().await;
        };
        let disconnected = Arc::new(Notify::new());
        let lease = Duration::from_millis(self.near.lease_ms);
        let config = self
            .link
            .limits()
            .set_response_timeout(Some(lease))
            .set_push_sender(self.push_handler(disconnected.clone()));
        let settings = self.link.login().clone().set_protocol(ProtocolVersion::RESP3);
        let info = self.link.info(address).map_err(described)?.set_redis_settings(settings);
        let client = Client::open(info).map_err(described)?;
        let mut connection =
            client.get_multiplexed_async_connection_with_config(&config).await.map_err(described)?;
        let info: String = cmd("INFO").arg("server").query_async(&mut connection).await.map_err(described)?;
        let prefix = self.keys.all_tokens_prefix();
        let mut tracking = cmd("CLIENT");
        tracking.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg(prefix);
        tracking.exec_async(&mut connection).await.map_err(described)?;
        // The order matters: tickets count from the second step on, and the server they are held against must be
        // this one by then. The other way round, an answer of the one tracked before could still slip in.
        self.near.track(run_id_in(&info));
        let Some(live) = cache.connection_live(SERVER) else { return std::future::pending().await };
        let mut heartbeat = cmd("DEL");
        heartbeat.arg(self.keys.probe());
        let beat = async {
            loop {
                let sent_at_ms = self.near.clock.boottime_ms();
                // A write, though it changes nothing: a demoted master and a cluster without quorum refuse it.
                if let Err(error) = heartbeat.exec_async(&mut connection).await {
                    return described(error);
                }
                live.heartbeat_answered(sent_at_ms);
                tokio::time::sleep(lease / HEARTBEATS_PER_LEASE).await;
            }
        };
        tokio::select! {
            reason = beat => Err(reason),
            () = disconnected.notified() => Err("the server closed it".into()),
        }
    }

    /// Applies what the server pushes. Called by the connection's driver, so it must not wait.
    fn push_handler(&self, disconnected: Arc<Notify>) -> impl Fn(PushInfo) -> Result<(), Infallible> + use<> {
        let (near, keys) = (self.near.clone(), self.keys.clone());
        move |push| {
            match push.kind {
                PushKind::Invalidate => invalidate(&near, &keys, &push.data),
                PushKind::Disconnection => disconnected.notify_one(),
                _ => {}
            }
            Ok(())
        }
    }
}

fn described(error: RedisError) -> String {
    describe(&error)
}

/// A push names one key, several, or, as null, all of them (Redis documentation, "Client-side caching").
/// What cannot be understood may mean any key.
fn invalidate(near: &Near, keys: &Keys, data: &[Value]) {
    let Some(cache) = &near.cache else { return };
    let void = |key: &Value| match key {
        Value::BulkString(key) => match keys.token_id(key) {
            Some(id) => cache.invalidate(&id),
            None => cache.invalidate_all(SERVER),
        },
        _ => cache.invalidate_all(SERVER),
    };
    for value in data {
        match value {
            Value::Array(keys) => keys.iter().for_each(void),
            other => void(other),
        }
    }
}
