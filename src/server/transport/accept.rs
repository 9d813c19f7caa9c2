//! The acceptor of a listener.

use tokio_util::sync::CancellationToken;

use super::connections::{ListenerConnections, OpenConnection};
use super::listener::{AcceptedConnection, Listener};

/// Serves accepted connections, or passes them on to a thread that does.
pub(crate) trait Deliver {
    /// Takes a connection; resolves once the next one can be taken.
    fn deliver(
        &mut self,
        accepted: AcceptedConnection,
        open: OpenConnection,
    ) -> impl Future<Output = ()> + Send;
}

/// Accepts connections until `stop` is cancelled, and then those in the kernel's queue. Each is delivered once
/// `connections` has room for it.
pub(crate) async fn accept(
    listener: Listener,
    connections: ListenerConnections,
    stop: CancellationToken,
    mut deliver: impl Deliver + Send,
) {
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        deliver.deliver(accepted, connections.open().await).await;
    }
    for accepted in listener.close() {
        deliver.deliver(accepted, connections.open().await).await;
    }
}
