//! Connections to either plane: HTTP/1.1 and HTTP/2, TLS, and what one client may hold.

mod answers;
mod bounds;
mod framing;
mod http2;
mod random_requests;
mod slow_clients;
mod tls;
