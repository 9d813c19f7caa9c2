//! The cookie that carries a token: as a login sets it, and as a logout clears it.

use hyper::header::HeaderValue;

use crate::model::token::Token;
use crate::values::Cookie;

/// The value of `Set-Cookie` that gives a browser the token: until the browser ends for a token with `expiration`, and
/// until its absolute end for a preserved one, in whole seconds and rounded up. The browser does not hear of renewals, so
/// how long the token may be idle is left to the server.
pub fn set(cookie: &Cookie, token: &Token, token_string: &str, now_ms: u64) -> String {
    let age_ms = token.record.ends_at_ms.saturating_sub(now_ms);
    line(cookie, token_string, (!token.details.expiration).then_some(age_ms.div_ceil(1000)))
}

/// The value of `Set-Cookie` that makes a browser forget the cookie: browsers look for one of the same name, domain
/// and path.
pub fn cleared(cookie: &Cookie) -> HeaderValue {
    // The settings allow only what a header may hold.
    HeaderValue::from_str(&line(cookie, "", Some(0))).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The values of `Set-Cookie` that make a browser forget every cookie of the name that the settings let this host clear:
/// with a `cookie-domain`, also the cookie that was set before there was one.
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
    use crate::config::definition::Config;
    use crate::values::SameSite;

    #[test]
    fn every_attribute_is_as_set() {
        let plain = Config::default().cookie;
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
