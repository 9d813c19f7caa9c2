//! Real reverse proxies with the shipped configurations of config/proxies, private to their test. Only addresses are
//! replaced, and where a program would write.

pub mod apache;
pub mod caddy;
pub mod envoy;
pub mod haproxy;
pub mod nginx;
pub mod proxy;
pub mod traefik;
