//! The details of a token: the fields that validation does not need.

use std::net::IpAddr;

use crate::foreign::Scheme;

/// An object of the application that a token belongs to. The token is found and revoked by it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RelatedObject {
    /// The kind of object, up to 100 bytes.
    pub content_type: String,
    /// Its id in that kind, up to 255 bytes.
    pub object_id: String,
}

/// The details of a token: the fields that are shown and that validation does not need. The last access is not among them,
/// because it alone changes without the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenDetails {
    /// Cut at 256 characters; empty if the client named none.
    pub user_agent: String,
    /// The address that the login came from.
    pub ip: IpAddr,
    /// False for a preserved token.
    pub expiration: bool,
    /// At most [`MAX_RELATED_PER_TOKEN`](crate::model::field_rules::MAX_RELATED_PER_TOKEN), in the order in which they
    /// were related.
    pub related_objects: Vec<RelatedObject>,
    /// The scheme of the foreign token that it was imported as; `None` for a native token.
    pub origin: Option<Scheme>,
}
