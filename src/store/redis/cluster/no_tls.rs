//! No TLS to Redis: this build is without the feature `tls`, so these types have no values.

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use redis::{ConnectionInfo, RedisError};
use tokio::net::TcpStream;

use super::byte_stream::ByteStream;
use crate::values::HostPort;

/// Trusted authorities: this build cannot have any.
#[derive(Clone)]
pub enum TrustStore {}

/// A version of trusted authorities: this build cannot have any.
pub(crate) enum Authorities {}

impl TrustStore {
    /// Loads nothing.
    ///
    /// # Errors
    /// Always: the feature `tls` is missing.
    pub fn load(_: Option<&Path>) -> Result<Self, String> {
        Err("needs the feature `tls` of the crate doorward".into())
    }

    pub(crate) fn current(&self) -> Arc<Authorities> {
        match *self {}
    }

    pub(crate) async fn handshake(&self, _: &str, _: TcpStream) -> io::Result<Pin<Box<dyn ByteStream>>> {
        match *self {}
    }

    pub(crate) async fn reload_on_change(&self) -> Infallible {
        match *self {}
    }
}

impl Authorities {
    pub(crate) fn info(&self, _: &HostPort) -> Result<ConnectionInfo, RedisError> {
        match *self {}
    }
}
