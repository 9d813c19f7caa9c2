//! No gRPC: this build is without the feature `grpc`, and `grpc-listen` is a mistake.

use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::TlsAcceptor;

use super::auth::plane::ValidationPlane;
use super::transport::connections::OpenConnection;
use super::transport::listener::AcceptedConnection;

/// Nothing, in place of the gRPC services.
#[derive(Clone)]
pub struct GrpcConnections;

impl GrpcConnections {
    /// Nothing.
    pub fn new(_: Arc<ValidationPlane>, _: Duration) -> Self {
        Self
    }

    /// Closes the connection.
    pub async fn serve(self, _: AcceptedConnection, _: Option<TlsAcceptor>, _: OpenConnection) {}
}
