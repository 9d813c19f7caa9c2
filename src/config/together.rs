//! What settings demand of each other: each finding names the setting to change, and what is wrong as the rest of a
//! sentence.

use super::types::{Cookie, SameSite};

/// What is wrong with a setting beside others.
type Finding = (&'static str, String);

/// The rules of cookie name prefixes and of `SameSite=None`: browsers throw away cookies that break them
/// (RFC 6265bis, sections 4.1.3 and 5.7).
pub(super) fn cookie(cookie: &Cookie) -> Vec<Finding> {
    let mut found = Vec::new();
    let has_prefix = |prefix: &str| {
        cookie.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let host_only = has_prefix("__Host-");
    if (host_only || has_prefix("__Secure-")) && !cookie.secure {
        found.push(("cookie-secure", "must be true for a cookie-name with this prefix".to_owned()));
    }
    if host_only && cookie.domain.is_some() {
        found.push(("cookie-domain", "must be empty for a cookie-name with the prefix __Host-".to_owned()));
    }
    if host_only && cookie.path != "/" {
        found.push(("cookie-path", "must be / for a cookie-name with the prefix __Host-".to_owned()));
    }
    if cookie.same_site == SameSite::None && !cookie.secure {
        found.push(("cookie-same-site", "must not be none unless cookie-secure is true".to_owned()));
    }
    found
}
