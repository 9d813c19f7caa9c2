//! Why a request had no answer.

use std::io;
use std::time::Duration;

/// Why a request had no answer. No text repeats a header of the request.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The path or the host cannot be part of a request.
    #[error("the URL cannot be requested")]
    Request,
    /// The name is unknown, or nothing accepts connections there.
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    /// The TLS handshake failed.
    #[error("TLS handshake failed: {0}")]
    Tls(#[source] io::Error),
    /// The deadline passed.
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// The connection was lost, or the answer is not HTTP.
    #[error("no valid HTTP answer: {0}")]
    Http(#[source] hyper::Error),
    /// The body of the answer cannot be read, or is larger than the limit.
    #[error("cannot read the answer: {0}")]
    Body(String),
}
