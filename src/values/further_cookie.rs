//! A further cookie for token strings.

use std::path::PathBuf;

use super::secret_string::SecretString;

/// A cookie beside the token cookie that may carry a native token string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FurtherCookie {
    /// Its name.
    pub name: String,
    /// How its value holds the token string.
    pub decoding: CookieDecoding,
    /// The file with the secrets of the signature, for [`CookieDecoding::Express`].
    pub secret_file: Option<PathBuf>,
    /// The secrets, from that file.
    pub secrets: Vec<SecretString>,
}

/// How the value of a cookie holds a token string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CookieDecoding {
    /// The value is the token string.
    #[default]
    Plain,
    /// The token string is percent-encoded.
    Percent,
    /// The token string is in base64, in either alphabet, with or without padding.
    Base64,
    /// The token string is signed as express signs cookies: `s:`, the string, `.` and the HMAC-SHA256 in base64.
    Express,
}

impl CookieDecoding {
    /// The names in settings.
    pub const ALL: [(&str, Self); 4] = [
        ("plain", Self::Plain),
        ("percent", Self::Percent),
        ("base64", Self::Base64),
        ("express", Self::Express),
    ];
}
