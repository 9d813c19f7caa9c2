//! Every supported reverse proxy with its configuration from config/proxies, in front of a real Doorward on a real
//! Redis. One list of checks (`checks`) runs on each; further tests cover the specifics of one proxy.

// Only Debian has a package of mod_oauth2.
#[cfg(target_os = "linux")]
mod apache;
mod applications;
mod caddy;
mod checks;
mod envoy;
mod haproxy;
mod login;
mod nginx;
mod rolling_restart;
mod site;
mod traefik;
mod without_token;
