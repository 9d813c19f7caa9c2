//! Connections to either plane: HTTP/2, TLS, and what one client may hold.

mod bounds;
mod http2;
mod tls;
