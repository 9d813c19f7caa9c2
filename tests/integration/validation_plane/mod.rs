//! The plane that reverse proxies ask: `/auth`, `/check/NAME`, batches, gRPC, `/session` and `/logout`.

mod auth;
mod batch;
mod credentials;
mod fast_path;
mod grpc;
mod renewal;
mod route_checks;
