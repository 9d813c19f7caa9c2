//! The types of single settings, and what else depends on no other part of the crate.

pub mod api_key;
pub mod cookie;
pub mod credential_header;
pub mod further_cookie;
pub mod header_scheme;
pub mod host_port;
pub mod listen_addr;
pub mod log_options;
pub mod origin;
pub mod otlp_header;
pub mod over_limit;
pub mod redis_url;
pub mod renewal_step;
pub mod secret_string;
pub mod stale_grace;
pub mod store_url;
pub mod timestamp;
pub mod trusted_proxies;
pub mod url;

pub use self::api_key::{ApiKey, Scope, Scopes};
pub use self::cookie::{Cookie, SameSite};
pub use self::credential_header::CredentialHeader;
pub use self::further_cookie::{CookieDecoding, FurtherCookie};
pub use self::header_scheme::HeaderScheme;
pub use self::host_port::HostPort;
pub use self::listen_addr::ListenAddr;
pub use self::log_options::{AccessLogRule, LogFormat, LogLevel};
pub use self::origin::Origin;
pub use self::otlp_header::OtlpHeader;
pub use self::over_limit::OverLimit;
pub use self::redis_url::{RedisDeployment, RedisUrl};
pub use self::renewal_step::RenewalStep;
pub use self::secret_string::SecretString;
pub use self::store_url::StoreUrl;
pub use self::trusted_proxies::TrustedProxies;
pub use self::url::{Endpoint, Url};
