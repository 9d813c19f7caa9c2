//! TODO

pub mod log_options;
pub mod api_key;
pub mod renewal_step;
pub mod store_url;
pub mod cookie;
pub mod trusted_proxies;
pub mod tls_paths;
pub mod listen_address;
pub mod secret_string;
pub mod over_limit;

