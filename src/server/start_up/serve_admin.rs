//! Serves the connections of the admin plane and of `metrics-listen` on the current runtime.

use std::sync::Arc;

use crate::request::origin::DirectClient;
use crate::server::admin::plane::AdminPlane;
use crate::server::admin::respond::respond;
use crate::server::metrics::plane::MetricsPlane;
use crate::server::transport::connection;
use crate::server::transport::connections::OpenConnection;
use crate::server::transport::fast_path::Http1;
use crate::server::transport::listener::{AcceptedConnection, Deliver};
use crate::server::transport::tls::ListenerTls;

/// Serves each connection of the admin plane in a task of its own.
pub(super) struct ServeAdmin {
    pub(super) admin: Arc<AdminPlane>,
    pub(super) tls: Option<Arc<ListenerTls>>,
}

impl Deliver for ServeAdmin {
    async fn deliver(&mut self, accepted: AcceptedConnection, open: OpenConnection) {
        let admin = self.admin.clone();
        let tls = self.tls.as_ref().map(|tls| tls.acceptor());
        let client = DirectClient::new(accepted.address, &admin.settings.trusted_proxies);
        tokio::spawn(async move {
            let respond = |request| respond(admin.clone(), request, client);
            connection::serve(accepted.socket, tls, open, Http1, respond).await;
        });
    }
}

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
