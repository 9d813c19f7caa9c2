//! `Set-Cookie` for the cookie that carries a token: set by a login, cleared by a logout.

use http::header::HeaderValue;

use crate::model::token::Token;
use crate::values::Cookie;

/// Returns the `Set-Cookie` value that gives a browser the token.
///
/// A token with `expiration` gets a session cookie. A preserved token gets a `Max-Age` up to its absolute end, in whole
/// seconds, rounded up: the browser does not learn of renewals, so only the server limits the idle time.
pub fn set(cookie: &Cookie, token: &Token, token_string: &str, now_ms: u64) -> String {
    let age_ms = token.record.ends_at_ms.saturating_sub(now_ms);
    line(cookie, token_string, (!token.details.expiration).then_some(age_ms.div_ceil(1000)))
}

/// Returns the `Set-Cookie` value that clears the cookie. Browsers match the name, the domain and the path.
pub fn cleared(cookie: &Cookie) -> HeaderValue {
    // Cannot fail: the settings allow only characters of headers.
    HeaderValue::from_str(&line(cookie, "", Some(0))).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Returns the `Set-Cookie` values that clear every cookie of the name that this host can clear. With a `cookie-domain`,
/// this includes the cookie of this host alone, which may date from the time before the setting.
pub fn all_cleared(cookie: &Cookie) -> impl Iterator<Item = HeaderValue> {
    let of_this_host = cookie.domain.is_some().then(|| Cookie { domain: None, ..cookie.clone() });
    std::iter::once(cleared(cookie)).chain(of_this_host.as_ref().map(cleared))
}

/// Returns the `Set-Cookie` values that clear a cookie which another system has set. Doorward does not know its path and
/// domain, so each pair of `/` or the token cookie's path, and of this host or the token cookie's domain is cleared.
pub fn other_cleared(cookie: &Cookie, name: &str) -> Vec<HeaderValue> {
    let is_prefixed =
        |prefix: &str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    let paths = [Some("/"), Some(cookie.path.as_str()).filter(|path| *path != "/")];
    let of_path = |path: &str| Cookie {
        name: name.to_owned(),
        path: path.to_owned(),
        // Browsers ignore a cookie of such a name without it (RFC 6265bis, section 4.1.3).
        secure: cookie.secure || is_prefixed("__Secure-") || is_prefixed("__Host-"),
        ..cookie.clone()
    };
    paths.into_iter().flatten().flat_map(|path| all_cleared(&of_path(path)).collect::<Vec<_>>()).collect()
}

fn line(cookie: &Cookie, value: &str, max_age_seconds: Option<u64>) -> String {
    let Cookie { name, secure, http_only, same_site, domain, path } = cookie;
    let mut line = format!("{name}={value}; Path={path}");
    if let Some(domain) = domain {
        line += &format!("; Domain={domain}");
    }
    if let Some(seconds) = max_age_seconds {
        line += &format!("; Max-Age={seconds}");
    }
    if *secure {
        line += "; Secure";
    }
    if *http_only {
        line += "; HttpOnly";
    }
    line + &format!("; SameSite={same_site}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::SameSite;

    #[test]
    fn every_attribute_follows_the_settings() {
        let plain = Cookie {
            name: "doorward".into(),
            secure: true,
            http_only: true,
            same_site: SameSite::Lax,
            domain: None,
            path: "/".into(),
        };
        assert_eq!(line(&plain, "x", None), "doorward=x; Path=/; Secure; HttpOnly; SameSite=Lax");
        let cookie = Cookie {
            name: "sid".into(),
            secure: false,
            http_only: false,
            same_site: SameSite::Strict,
            domain: Some("example.com".into()),
            path: "/app".into(),
        };
        let expected = "sid=; Path=/app; Domain=example.com; Max-Age=0; SameSite=Strict";
        assert_eq!(cleared(&cookie), expected);
        let of_this_host = "sid=; Path=/app; Max-Age=0; SameSite=Strict";
        assert_eq!(all_cleared(&cookie).collect::<Vec<_>>(), [expected, of_this_host]);
        assert_eq!(all_cleared(&plain).collect::<Vec<_>>(), [cleared(&plain)]);
        assert_eq!(other_cleared(&plain, "a"), ["a=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"]);
        let others = [
            "__Host-a=; Path=/; Domain=example.com; Max-Age=0; Secure; SameSite=Strict",
            "__Host-a=; Path=/; Max-Age=0; Secure; SameSite=Strict",
            "__Host-a=; Path=/app; Domain=example.com; Max-Age=0; Secure; SameSite=Strict",
            "__Host-a=; Path=/app; Max-Age=0; Secure; SameSite=Strict",
        ];
        assert_eq!(other_cleared(&cookie, "__Host-a"), others);
    }
}
