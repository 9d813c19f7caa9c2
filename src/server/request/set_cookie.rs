//! `Set-Cookie` for the cookie that carries a token: set by a login, cleared by a logout.

use hyper::header::HeaderValue;

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
    }
}
