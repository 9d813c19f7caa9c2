//! A further cookie for token strings.

use std::path::PathBuf;

use super::secret_string::SecretString;

use crate::named_enum::named_enum;

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

named_enum! {
    /// How the value of a cookie holds a token string.
    #[derive(Default)]
    pub enum CookieDecoding {
        /// The value is the token string.
        #[default]
        Plain => "plain",
        /// The token string is percent-encoded.
        Percent => "percent",
        /// The token string is in base64, in either alphabet, with or without padding.
        Base64 => "base64",
        /// The token string is signed as express signs cookies: `s:`, the string, `.` and the HMAC-SHA256 in base64.
        Express => "express",
    }
}
