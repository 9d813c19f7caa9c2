//! The kinds of problems. Each has its own `type`, which clients may rely on (RFC 9457, section 3.1.1).

use hyper::StatusCode;

macro_rules! kinds {
    ($($(#[$doc:meta])+ $kind:ident: $status:ident, $uri:literal, $title:literal;)+) => {
        /// The kind of a problem.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ProblemKind {
            $($(#[$doc])+ $kind,)+
        }

        impl ProblemKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// The status of the response.
            pub const fn status(self) -> StatusCode {
                match self {
                    $(Self::$kind => StatusCode::$status,)+
                }
            }

            /// The name at the end of `type`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $uri,)+
                }
            }

            /// The `type`: a name, not an address to open.
            pub const fn uri(self) -> &'static str {
                match self {
                    $(Self::$kind => concat!("urn:doorward:problem:", $uri),)+
                }
            }

            /// The `title`.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$kind => $title,)+
                }
            }
        }
    };
}

kinds! {
    /// The body is not JSON.
    MalformedJson: BAD_REQUEST, "malformed-json", "Malformed JSON";
    /// The connection broke off within the body.
    BodyIncomplete: BAD_REQUEST, "body-incomplete", "Incomplete body";
    /// The request carries no API key.
    ApiKeyMissing: UNAUTHORIZED, "api-key-missing", "API key missing";
    /// The API key is unknown or has expired.
    ApiKeyInvalid: UNAUTHORIZED, "api-key-invalid", "API key invalid";
    /// The device key, the uuid and the login token do not belong together.
    LoginRefused: UNAUTHORIZED, "login-refused", "Device login refused";
    /// The API key lacks the scope.
    InsufficientScope: FORBIDDEN, "insufficient-scope", "Insufficient scope";
    /// The record does not exist.
    NotFound: NOT_FOUND, "not-found", "Not found";
    /// The admin plane has no such path.
    NoSuchPath: NOT_FOUND, "no-such-path", "No such path";
    /// The path does not take the method.
    MethodNotAllowed: METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed";
    /// The body did not arrive in time.
    BodyTimeout: REQUEST_TIMEOUT, "body-timeout", "Body timeout";
    /// The token is revoked and cannot be changed.
    TokenRevoked: CONFLICT, "token-revoked", "Token revoked";
    /// The user is locked.
    UserLocked: CONFLICT, "user-locked", "User locked";
    /// The token waits for its second factor.
    SecondFactorPending: CONFLICT, "second-factor-pending", "Second factor pending";
    /// The token was rotated too often within the grace period.
    RotatedTooOften: CONFLICT, "rotated-too-often", "Rotated too often";
    /// The user has too many tokens.
    TooManyTokens: CONFLICT, "too-many-tokens", "Too many tokens";
    /// The user has too many device keys.
    TooManyDevices: CONFLICT, "too-many-devices", "Too many device keys";
    /// The device key is inactive and gets no new login token.
    DeviceInactive: CONFLICT, "device-inactive", "Device key inactive";
    /// The related object has too many tokens.
    ObjectFull: CONFLICT, "object-full", "Related object full";
    /// The token has too many related objects.
    TooManyObjects: CONFLICT, "too-many-objects", "Too many related objects";
    /// The takeover is of the token's own user.
    OwnUser: CONFLICT, "own-user", "Takeover of the token's own user";
    /// Takeovers are turned off.
    TakeoversOff: CONFLICT, "takeovers-off", "Takeovers are off";
    /// The cut-off is at a later time.
    CutoffIsLater: CONFLICT, "cutoff-is-later", "Cut-off at a later time";
    /// There are too many cut-offs.
    TooManyCutoffs: CONFLICT, "too-many-cutoffs", "Too many cut-offs";
    /// The request was done before, and its secret cannot be shown again.
    IdempotencyReplay: CONFLICT, "idempotency-replay", "Request done before";
    /// The body is too large.
    BodyTooLarge: PAYLOAD_TOO_LARGE, "body-too-large", "Body too large";
    /// The media type of the body is not supported.
    UnsupportedMediaType: UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Unsupported media type";
    /// Fields or parameters are invalid, missing, unknown or repeated.
    InvalidFields: UNPROCESSABLE_ENTITY, "invalid-fields", "Invalid fields";
    /// An earlier request with the same `Idempotency-Key` had another body.
    IdempotencyKeyReused: UNPROCESSABLE_ENTITY, "idempotency-key-reused", "Idempotency-Key reused";
    /// The live feed has too many readers.
    TooManyReaders: TOO_MANY_REQUESTS, "too-many-readers", "Too many readers";
    /// A record in the store is corrupt.
    CorruptRecord: INTERNAL_SERVER_ERROR, "corrupt-record", "Corrupt record";
    /// Too many logins are being verified by slow hashes.
    Busy: SERVICE_UNAVAILABLE, "busy", "Busy";
    /// The change is done, but not as durable as `durable-writes` demands.
    NotDurable: SERVICE_UNAVAILABLE, "not-durable", "Not durable";
    /// The store is unavailable.
    StoreUnavailable: SERVICE_UNAVAILABLE, "store-unavailable", "Store unavailable";
    /// The store has a fault that makes it unusable.
    StoreUnusable: SERVICE_UNAVAILABLE, "store-unusable", "Store unusable";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_documented_with_its_status() {
        let page = include_str!("../../../../docs/api.md");
        let document: serde_json::Value =
            serde_json::from_str(include_str!("../../../../docs/openapi.json")).unwrap();
        let types = &document["components"]["schemas"]["ProblemType"]["x-extensible-enum"];
        let uris: Vec<_> = ProblemKind::ALL.iter().map(|kind| kind.uri()).collect();
        assert_eq!(types, &serde_json::json!(uris));
        for kind in ProblemKind::ALL {
            let name = kind.uri().rsplit(':').next().unwrap();
            let row = format!("| {} | `{name}` |", kind.status().as_u16());
            assert_eq!(page.matches(&row).count(), 1, "{row}");
        }
    }
}
