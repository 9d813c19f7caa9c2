//! OAuth's view of a token: `/introspect` (RFC 7662) and `/revoke` (RFC 7009). Forms in, OAuth's JSON out.

pub mod call;
pub mod credentials;
pub mod error;
pub mod form;
pub mod introspect;
pub mod revoke;
