//! The attributes of the token cookie.

use std::fmt;

/// The cookie that may carry a token, and the attributes it is set with (RFC 6265bis, section 4.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Browsers send it over HTTPS only.
    pub secure: bool,
    /// Scripts of a page cannot read it.
    pub http_only: bool,
    /// Which requests from other sites carry it.
    pub same_site: SameSite,
    /// For this domain with all its hosts; `None`: for the one host that sets it.
    pub domain: Option<String>,
    /// For this path and all below it.
    pub path: String,
}

/// Which requests from other sites carry a cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameSite {
    /// Only links that are followed.
    #[default]
    Lax,
    /// None.
    Strict,
    /// All.
    None,
}

/// As the attribute is written.
impl fmt::Display for SameSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lax => "Lax",
            Self::Strict => "Strict",
            Self::None => "None",
        })
    }
}
