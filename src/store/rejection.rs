//! Why a store operation was rejected.

use crate::token_string::TokenId;

/// Why the store rejected an operation: its rules or its contents forbid it. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There is no such token, takeover or device key, or it has expired. Log in again.
    #[error("no such token")]
    NotFound,
    /// The token is revoked, and a revoked token cannot be changed. Log in again.
    #[error("the token is revoked")]
    Revoked,
    /// The user is locked. Unlock the user first.
    #[error("the user is locked")]
    UserLocked,
    /// The token's second factor is still to be shown. Confirm the token first.
    #[error("the token's second factor is still to be shown")]
    Pending,
    /// The lifetime that a token is to get, counted from its issue, is over. Revoke the token instead.
    #[error("is over: it counts from created_at")]
    LifetimeOver,
    /// The end that an imported token is to get is later than its own, and its foreign string, which is known until then,
    /// still opens it. Rotate it first.
    #[error("must not move the end of an imported token later before it was rotated")]
    ImportedEnd,
    /// The token got [`MAX_SIBLINGS`](crate::model::token::rotation::MAX_SIBLINGS) new secrets within one grace. Try again
    /// after it.
    #[error("the token was rotated too often; try again after rotation-grace")]
    RotatedTooOften,
    /// The user has as many tokens as allowed, and none may be revoked for a new one. Revoke one first.
    #[error("the user has as many tokens as max-tokens-per-user allows")]
    TooManyTokens,
    /// A related object has as many tokens as allowed. Revoke one first, or relate another object.
    #[error("the related object has as many tokens as max-tokens-per-object allows")]
    ObjectFull,
    /// The token has as many related objects as allowed. Unrelate one first.
    #[error("the token has as many related objects as it may have")]
    TooManyObjects,
    /// The user has as many device keys as allowed. Remove one first.
    #[error("the user has as many device keys as max-devices-per-user allows")]
    TooManyDevices,
    /// The device key is inactive. Activate it first.
    #[error("the device key is inactive")]
    DeviceInactive,
    /// A login by device key: there is no such key, it is inactive, or the login token is not its own. The error does not
    /// say which. Log in by other means.
    #[error("no active device key has this uuid and this login token")]
    LoginRefused,
    /// The user to take over is the token's owner. No takeover is needed.
    #[error("the token is that user's own")]
    OwnUser,
    /// Takeovers are turned off by the setting `takeovers`.
    #[error("takeovers are turned off (setting takeovers)")]
    TakeoversOff,
    /// The cut-off of this name is at a later time. Remove it first, then set it.
    #[error("the cut-off is at a later time; remove it first to move it back")]
    CutoffIsLater,
    /// A request of this name (`Idempotency-Key`) was done before: it made this token, or a device key, whose secret cannot
    /// be shown again. Show or revoke it, or send the request with another name.
    #[error("a request with this Idempotency-Key was done before, and its secret cannot be shown again")]
    DoneBefore(Option<TokenId>),
    /// A request of this name (`Idempotency-Key`) had another body. Send this one with another name.
    #[error("a request with this Idempotency-Key had another body")]
    OtherBody,
    /// There are [`MAX_CUTOFFS`](crate::model::cutoff::MAX_CUTOFFS). Remove one first.
    #[error("there are as many cut-offs as there may be")]
    TooManyCutoffs,
}

/// The outcome of an operation, or why it was rejected.
pub type Outcome<T> = Result<T, Rejection>;
