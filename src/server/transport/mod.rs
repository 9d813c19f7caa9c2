//! Sockets and connections: bytes in, requests out; responses in, bytes out.

pub mod body;
pub mod connection;
pub mod connections;
pub mod date;
pub mod handshake;
pub mod listener;
pub mod reply;
pub mod response;
pub mod stream;
pub mod tls;
