//! The parts of a request: headers, its id, credentials, its origin, and the cookie of its token.

pub mod cookie_value;
pub mod credentials;
pub mod headers;
pub mod origin;
pub mod places;
pub mod repeated;
pub mod request_id;
pub mod set_cookie;
