//! The results of a judgement, and the reads that it may still need.

use crate::clock::ClockReading;
use crate::foreign::ForeignDigest;
use crate::logging::audit::AuditedRequest;
use crate::model::token::{KnownRecord, Transport};
use crate::token_string::{UnverifiedToken, VerifiedToken};

/// Whether a successful validation counts as an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It moves `last_access` and renews the token.
    Recorded,
    /// It leaves no trace.
    Exempt,
}

/// The worth of a token string. It borrows the cached record: clone the record to keep it.
#[derive(Clone, Copy, Debug)]
pub enum Judgement<'a> {
    /// Valid, at this time in milliseconds since the Unix epoch.
    Valid(KnownRecord<'a>, u64),
    /// The right secret, but the second factor is still to be shown: the token opens nothing yet.
    Pending,
    /// Malformed, forged, unknown, revoked, expired, rotated out, or not allowed on the transport.
    Refused,
}

/// A judgement, or what is left to do for one.
pub enum Judged<R> {
    /// Judged without waiting, and what the caller made of the judgement.
    Done(R),
    /// The token must be read: [`Validator::look_up`](super::validator::Validator::look_up).
    MustRead(LookUp),
}

/// A validation: what matters besides the token string.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// `None` where the transport does not matter.
    pub(crate) via: Option<Transport>,
    pub(crate) access: Access,
    /// When the validation began.
    pub(crate) began: ClockReading,
    /// The request that carried the token string, if it is known.
    pub(crate) request: Option<&'a AuditedRequest>,
}

/// A token string that what is known here is not enough to judge.
#[derive(Debug)]
pub struct LookUp {
    pub(crate) asked: Asked<'static>,
    pub(crate) sought: Sought,
}

/// The data to read for a token string.
#[derive(Debug)]
pub(crate) enum Sought {
    /// The record, or the part of it that is not known here.
    Record(VerifiedToken, Missing),
    /// Whose token a foreign string is, and then the record.
    Alias(Box<[ForeignDigest]>),
}

impl LookUp {
    /// The part of the request that carried the token; `None` where that does not matter.
    pub fn via(&self) -> Option<Transport> {
        self.asked.via
    }
}

/// The read that a judgement needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The record: none is known here.
    Record,
    /// A fresh record: the one known here may be older than a renewal, or than the rotation that handed out this secret.
    FreshRecord,
    /// Only the revocation that follows the reuse of a rotated-out secret.
    Revocation,
}

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
