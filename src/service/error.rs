//! Errors of the use cases.

use crate::store::StoreError;

/// Why a use case did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// There is no such token, or nobody may see it any more.
    #[error("no such token")]
    NotFound,
    /// The token was ended, and an ended one cannot be changed.
    #[error("the token has ended")]
    Ended,
    /// The token's second factor is still to be shown.
    #[error("the token's second factor is still to be shown")]
    Pending,
    /// The token has had too many new secrets within the grace.
    #[error("the token was rotated too often; try again after rotation-grace")]
    RotatedTooOften,
    /// The user has as many tokens as allowed, and none may be ended for a new one.
    #[error("the user has as many tokens as max-tokens-per-user allows")]
    TooManyTokens,
    /// The user has as many device keys as allowed.
    #[error("the user has as many device keys as max-devices-per-user allows")]
    TooManyDevices,
    /// A login by device key: there is no such key, or it is inactive, or what was presented is not its own. Nobody is
    /// told which.
    #[error("no active device key has this uuid and this login token")]
    LoginRefused,
    /// A related object has as many tokens as allowed.
    #[error("the related object has as many tokens as max-tokens-per-object allows")]
    ObjectFull,
    /// The token has as many related objects as allowed.
    #[error("the token has as many related objects as it may have")]
    TooManyObjects,
    /// A value breaks its rule. Nothing was changed.
    #[error("{field}: {detail}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// What is wrong with it, without the value.
        detail: String,
    },
    /// A takeover of the token's own user.
    #[error("the token is that user's own")]
    OwnUser,
    /// See there.
    #[error(transparent)]
    Store(#[from] StoreError),
}
