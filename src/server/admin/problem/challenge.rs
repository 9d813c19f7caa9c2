//! The values of `WWW-Authenticate`.

/// 401 without an API key. There is no `error` (RFC 6750, section 3.1).
pub const API_KEY_MISSING: &str = "Bearer realm=\"doorward-admin\"";
/// 401 for an unknown API key.
pub const API_KEY_INVALID: &str = "Bearer realm=\"doorward-admin\", error=\"invalid_token\"";
/// 401 for an OAuth client that tried another scheme.
pub const BASIC: &str = "Basic realm=\"doorward-admin\"";
/// 403 for a missing scope (RFC 6750, section 3.1).
pub const INSUFFICIENT_SCOPE: &str = "Bearer realm=\"doorward-admin\", error=\"insufficient_scope\"";
/// 401 of a device login. The realm says that the login token is wrong, not the API key.
pub const DEVICE_LOGIN: &str = "Bearer realm=\"doorward-device\", error=\"invalid_token\"";
