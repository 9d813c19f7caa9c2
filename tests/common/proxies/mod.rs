//! Real reverse proxies with the configurations of config/proxies, private to their test. Only addresses and writable
//! paths are replaced.

pub mod apache;
pub mod caddy;
pub mod envoy;
pub mod haproxy;
pub mod nginx;
pub mod proxy;
pub mod traefik;
