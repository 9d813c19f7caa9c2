//! A small HTTP/1.1 client over TCP, TLS and unix sockets: one request on one connection, with a deadline and a limit on
//! the answer. It knows nothing of Doorward.

pub mod client;
pub mod tls;

pub use self::client::ClientError;
pub use self::client::{HttpClient, OpenResponse};
pub use self::tls::{ClientIdentity, TlsOptions, Trust};
