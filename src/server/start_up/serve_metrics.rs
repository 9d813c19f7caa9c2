//! Serves the connections of `metrics-listen` on the current runtime.

use std::sync::Arc;

use crate::server::metrics::plane::MetricsPlane;
use crate::server::transport::accept::Deliver;
use crate::server::transport::connection;
use crate::server::transport::connections::OpenConnection;
use crate::server::transport::fast_path::Http1;
use crate::server::transport::listener::AcceptedConnection;

/// Serves each connection in a task of its own.
pub(super) struct ServeMetrics(pub(super) Arc<MetricsPlane>);

impl Deliver for ServeMetrics {
    async fn deliver(&mut self, accepted: AcceptedConnection, open: OpenConnection) {
        let plane = self.0.clone();
        tokio::spawn(async move {
            let respond = |request| plane.respond(&request);
            connection::serve(accepted.socket, None, open, Http1, respond).await;
        });
    }
}
