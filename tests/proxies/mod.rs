//! Every reverse proxy that can be run here, with its configuration from config/proxies, in front of a real Doorward
//! on a real Redis: one list of checks (`checks`), run on each; and what is special about one of them.

// Only Debian packages mod_oauth2.
#[cfg(target_os = "linux")]
mod apache;
mod caddy;
mod checks;
mod envoy;
mod haproxy;
mod nginx;
mod site;
mod traefik;
