//! Test support: real servers as child processes, HTTP clients and HTTP servers.

// Each test binary compiles this module and uses a part of it.
#![allow(dead_code)]

pub mod cluster;
pub mod collector;
pub mod devices;
pub mod fake_sentinel;
pub mod fake_time;
pub mod feed;
pub mod foreign;
pub mod http;
pub mod http2;
pub mod imported_devices;
pub mod imports;
pub mod log_lines;
pub mod near_cache;
pub mod ports;
pub mod process;
pub mod program;
pub mod prometheus;
pub mod proxies;
pub mod recovery;
pub mod redis;
pub mod redis_call;
pub mod relay;
pub mod sentinel;
pub mod server;
pub mod stop_on_drop;
pub mod store;
pub mod tls;
pub mod upstream;
