//! The connections of the gRPC listener.

use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::TlsAcceptor;

use super::memory::MessageMemory;
use super::plane::GrpcPlane;
use crate::server::auth::plane::ValidationPlane;
use crate::server::transport::connection;
use crate::server::transport::connections::OpenConnection;
use crate::server::transport::fast_path::Http2;
use crate::server::transport::listener::AcceptedConnection;

/// Serves the connections of the gRPC listener on one runtime. Clones share the services.
#[derive(Clone)]
pub struct GrpcConnections(Arc<GrpcPlane>);

impl GrpcConnections {
    /// Serves calls that `validation` decides on. Their messages must arrive within `request_timeout`.
    pub fn new(validation: Arc<ValidationPlane>, request_timeout: Duration) -> Self {
        Self(Arc::new(GrpcPlane { validation, request_timeout }))
    }

    /// Serves a connection until its end.
    pub async fn serve(self, accepted: AcceptedConnection, tls: Option<TlsAcceptor>, open: OpenConnection) {
        let memory = MessageMemory::default();
        let respond = |request| self.0.respond(request, &memory);
        connection::serve(accepted.socket, tls, open, Http2, respond).await;
    }
}
