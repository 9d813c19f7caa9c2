//! Which problem each error of the use cases is.

use hyper::header::{RETRY_AFTER, WWW_AUTHENTICATE};

use super::{FieldError, Problem, ProblemKind, challenge};
use crate::service::ServiceError;
use crate::store::{Rejection, StoreError};

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Rejected(rejection) => rejection.into(),
            // Handlers check fields by the same rules; this is the second line of defence.
            ServiceError::Invalid { field, detail } => Self::fields(vec![FieldError::new(field, detail)]),
            ServiceError::Busy => {
                let detail = "too many logins are being verified; nothing was changed";
                Self::new(ProblemKind::Busy, detail).with_header(RETRY_AFTER, "1")
            }
            ServiceError::Store(error) => error.into(),
        }
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let of_kind = |kind| Self::new(kind, rejection.to_string());
        match rejection {
            Rejection::NotFound => Self::no_such_record(),
            Rejection::Revoked => of_kind(ProblemKind::TokenRevoked),
            Rejection::UserLocked => of_kind(ProblemKind::UserLocked),
            Rejection::Pending => of_kind(ProblemKind::SecondFactorPending),
            Rejection::LifetimeOver | Rejection::ImportedEnd => {
                Self::fields(vec![FieldError::new("lifetime_seconds", rejection.to_string())])
            }
            Rejection::RotatedTooOften => of_kind(ProblemKind::RotatedTooOften),
            Rejection::TooManyTokens => of_kind(ProblemKind::TooManyTokens),
            Rejection::TooManyDevices => of_kind(ProblemKind::TooManyDevices),
            Rejection::DeviceInactive => of_kind(ProblemKind::DeviceInactive),
            Rejection::ObjectFull => of_kind(ProblemKind::ObjectFull),
            Rejection::TooManyObjects => of_kind(ProblemKind::TooManyObjects),
            Rejection::DoneBefore(token) => of_kind(ProblemKind::IdempotencyReplay).of_token(token),
            Rejection::OtherBody => of_kind(ProblemKind::IdempotencyKeyReused),
            Rejection::OwnUser => of_kind(ProblemKind::OwnUser),
            Rejection::TakeoversOff => of_kind(ProblemKind::TakeoversOff),
            Rejection::CutoffIsLater => of_kind(ProblemKind::CutoffIsLater),
            Rejection::TooManyCutoffs => of_kind(ProblemKind::TooManyCutoffs),
            Rejection::LoginRefused => {
                of_kind(ProblemKind::LoginRefused).with_header(WWW_AUTHENTICATE, challenge::DEVICE_LOGIN)
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let retry = |problem: Self| problem.with_header(RETRY_AFTER, "1");
        match error {
            StoreError::Unavailable(_) => {
                let detail = "the store is unavailable; whether a write was done is unknown";
                retry(Self::new(ProblemKind::StoreUnavailable, detail)).caused_by(error)
            }
            StoreError::Unusable(_) => {
                tracing::debug!(%error, "admin request refused");
                let detail = "the store has a fault that makes it unusable; nothing was changed";
                retry(Self::new(ProblemKind::StoreUnusable, detail))
            }
            StoreError::NotDurable => {
                let detail =
                    "the change is done, but a failover may still lose it; repeating a revocation is safe";
                retry(Self::new(ProblemKind::NotDurable, detail)).caused_by(error)
            }
            StoreError::Corrupt { .. } => {
                let detail = "a record in the store is corrupt; see the log";
                Self::new(ProblemKind::CorruptRecord, detail).caused_by(error)
            }
        }
    }
}
