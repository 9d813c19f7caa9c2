//! The kinds of token strings.

use crate::foreign::ForeignDigest;
use crate::token_string::{UnverifiedToken, VerifiedToken};

/// The kind of a token string.
pub(crate) enum Identified {
    /// Native and well-formed; its MAC is not verified yet.
    Native(UnverifiedToken),
    /// Foreign, of an imported token.
    Foreign(VerifiedToken),
    /// Foreign; whether its token was imported is to be looked up by `resolve`.
    Unresolved(Box<[ForeignDigest]>),
    /// Foreign; less than a lease ago, its token was not imported.
    Unknown,
    /// The string has none of its possible forms, or a wrong signature.
    Malformed,
}
