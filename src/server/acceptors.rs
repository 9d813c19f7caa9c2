//! The acceptors of all listeners, and the connections that they opened.

use std::convert::Infallible;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::transport::connections::ListenerConnections;
use super::transport::listener::{Deliver, Listener, accept};

/// How long a stopping server waits for a request on each connection: a proxy may have sent one before it noticed the
/// stop.
const LAST_REQUEST_WAIT: Duration = Duration::from_millis(200);

/// The acceptors of all listeners, and the connections that they opened.
pub(super) struct Acceptors {
    idle_timeout: Duration,
    /// The connections of each listener.
    connections: Vec<ListenerConnections>,
    /// Each acceptor owns its listener.
    acceptors: JoinSet<()>,
    sweeps: JoinSet<Infallible>,
    stop: CancellationToken,
}

impl Acceptors {
    pub(super) fn new(idle_timeout: Duration) -> Self {
        Self {
            idle_timeout,
            connections: Vec::new(),
            acceptors: JoinSet::new(),
            sweeps: JoinSet::new(),
            stop: CancellationToken::new(),
        }
    }

    /// Starts to accept from a listener as many connections as `connections` has room for.
    pub(super) fn add(
        &mut self,
        listener: Listener,
        connections: &ListenerConnections,
        deliver: impl Deliver + Send + 'static,
    ) {
        self.connections.push(connections.clone());
        self.sweeps.spawn(connections.clone().sweep(self.idle_timeout));
        self.acceptors.spawn(accept(listener, connections.clone(), self.stop.clone(), deliver));
    }

    /// Resolves with a description if an acceptor or a sweep ends, which only a bug can cause.
    pub(super) async fn died(&mut self) -> String {
        tokio::select! {
            Some(ended) = self.acceptors.join_next() => format!("acceptor: {ended:?}"),
            Some(ended) = self.sweeps.join_next() => format!("connection sweep: {ended:?}"),
            else => "no acceptors".into(),
        }
    }

    /// Makes the acceptors close their listeners, and each further answer the last of its connection.
    pub(super) fn begin_drain(&self) {
        self.stop.cancel();
        self.connections.iter().for_each(ListenerConnections::drain);
    }

    /// Resolves when all listeners are closed and all connections have ended.
    pub(super) async fn drained(&mut self) {
        while self.acceptors.join_next().await.is_some() {}
        sleep(LAST_REQUEST_WAIT).await;
        self.connections.iter().for_each(ListenerConnections::close_idle);
        for connections in &self.connections {
            connections.all_ended().await;
        }
    }

    /// Ends all tasks at once.
    pub(super) async fn shutdown(&mut self) {
        self.acceptors.shutdown().await;
        self.sweeps.shutdown().await;
    }
}
