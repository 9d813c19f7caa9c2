//! Accepting connections: for as long as the server runs, and at its stop those that clients had made before.

use tokio::sync::watch;

use crate::server::transport::connections::{Connections, OpenConnection};
use crate::server::transport::listener::{Accepted, Listener};

/// Accepts connections until `stop` says so, and then those in the kernel's queue; each is handed to `deliver` once
/// there is room for it.
pub(crate) async fn accept<F: Future<Output = ()> + Send>(
    listener: Listener,
    connections: Connections,
    mut stop: watch::Receiver<bool>,
    mut deliver: impl FnMut(Accepted, OpenConnection) -> F + Send,
) {
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stop.wait_for(|is_stopping| *is_stopping) => break,
            accepted = listener.accept() => accepted,
        };
        deliver(accepted, connections.open().await).await;
    }
    for accepted in listener.close() {
        deliver(accepted, connections.open().await).await;
    }
}
