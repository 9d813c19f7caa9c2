//! Outcomes of store operations.

use crate::model::token::record::Token;
use crate::token_string::TokenId;

/// The tokens that an operation ended or took away.
pub type Ended = Vec<TokenId>;

/// What came of issuing a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issued {
    /// It is there; these had to make room for it.
    Done(Ended),
    /// Its user has as many tokens as allowed ([`OverLimit::RefuseNew`]).
    TooMany,
    /// A related object has as many tokens as allowed.
    ObjectFull,
}

/// What came of relating a token to an object, or of taking it from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Related {
    /// No such token, or an expired one.
    NotFound,
    /// It was ended before; nothing changed.
    Ended,
    /// The token has as many objects as allowed; nothing changed.
    TooManyObjects,
    /// The object has as many tokens as allowed; nothing changed.
    TooManyTokens,
    /// It is as wanted now, whether or not it was before.
    Done,
}

/// What came of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// No such token, or an expired one.
    NotFound,
    /// It was ended before; nothing changed. The token as it is.
    AlreadyRevoked(Token),
    /// It cannot get a new secret before its second factor was shown; nothing changed.
    Pending,
    /// It got [`MAX_SIBLINGS`](crate::model::token::rotation::MAX_SIBLINGS) new secrets within the grace; nothing changed.
    RotatedTooOften,
    /// Done. The token as it is now.
    Done(Token),
}
