//! What a request says: headers, credentials, where it came from, its cookie.

pub mod credentials;
pub mod headers;
pub mod origin;
pub mod set_cookie;
