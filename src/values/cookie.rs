//! The token cookie.

use std::fmt;

use crate::named_enum::named_enum;

/// The name and the attributes of the cookie that may carry a token (RFC 6265bis, section 4.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Browsers send the cookie over HTTPS only.
    pub secure: bool,
    /// Scripts of a page cannot read the cookie.
    pub http_only: bool,
    /// Which requests from other sites carry the cookie.
    pub same_site: SameSite,
    /// The domain whose hosts all get the cookie. `None`: only the host that sets it.
    pub domain: Option<String>,
    /// The path; it includes all paths below.
    pub path: String,
}

named_enum! {
    /// Which requests from other sites carry a cookie.
    #[derive(Default)]
    pub enum SameSite {
        /// Only navigations with a safe method, such as a followed link.
        #[default]
        Lax => "lax",
        /// No request.
        Strict => "strict",
        /// Every request.
        None => "none",
    }
}

/// Writes the form of the attribute.
impl fmt::Display for SameSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lax => "Lax",
            Self::Strict => "Strict",
            Self::None => "None",
        })
    }
}
