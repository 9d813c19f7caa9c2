//! Sockets and connections: bytes in, requests out; responses in, bytes out. Knows no plane.

pub mod body;
pub mod certificate;
pub mod connection;
pub mod connections;
pub mod date;
pub mod fast_path;
pub mod handshake;
pub mod http;
pub mod listener;
pub mod response;
pub mod stream;
pub mod tls;
pub mod tls_files;
