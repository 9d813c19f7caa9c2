//! The types of single settings, and what else depends on no other part of the crate.

pub mod api_key;
pub mod cookie;
pub mod further_cookie;
pub mod header_scheme;
pub mod host_port;
pub mod listen_addr;
pub mod log_options;
pub mod origin;
pub mod otlp_header;
pub mod redis_url;
pub mod renewal_step;
pub mod replay_window;
pub mod secret_string;
pub mod store_options;
pub mod timestamp;
pub mod trusted_proxies;
pub mod url;

pub use self::api_key::{ApiKey, Scope, Scopes};
pub use self::cookie::{Cookie, SameSite};
pub use self::further_cookie::{CookieDecoding, FurtherCookie};
pub use self::header_scheme::CredentialHeader;
pub use self::header_scheme::HeaderScheme;
pub use self::host_port::HostPort;
pub use self::listen_addr::ListenAddr;
pub use self::log_options::{AccessLogRule, LogFormat, LogLevel};
pub use self::origin::Origin;
pub use self::otlp_header::OtlpHeader;
pub use self::redis_url::{RedisDeployment, RedisUrl};
pub use self::renewal_step::RenewalStep;
pub use self::secret_string::SecretString;
pub use self::store_options::DurableWrites;
pub use self::store_options::OverLimit;
pub use self::store_options::StoreUrl;
pub use self::trusted_proxies::TrustedProxies;
pub use self::url::{Endpoint, Url};
