//! The plane that reverse proxies ask: `/auth`, `/check/NAME`, batches, gRPC, `/session` and `/logout`.

mod auth;
mod batch;
mod fast_path;
mod grpc;
mod hostile;
mod renewal;
mod route_checks;
