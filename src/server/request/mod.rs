//! What a request carries: headers, credentials, its origin, and the cookie of its token.

pub mod client;
pub mod credentials;
pub mod headers;
pub mod origin;
pub mod set_cookie;
pub mod span;
