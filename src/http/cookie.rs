//! The cookie that carries a token: as a login sets it, and as a logout clears it.

use hyper::header::HeaderValue;

use crate::config::Cookie;
use crate::token::Token;

/// The value of `Set-Cookie` that gives a browser the token: until the browser ends for a token with `expiration`, and
/// for a preserved one for as long as it can live without access, or at most, whichever is shorter, in whole seconds and
/// rounded up. The browser does not hear of renewals.
pub fn set(cookie: &Cookie, token: &Token, wire: &str, now_ms: u64) -> String {
    let credential = &token.credential;
    let age_ms = credential.idle_ms.min(credential.ends_at_ms.saturating_sub(now_ms));
    line(cookie, wire, (!token.expiration).then_some(age_ms.div_ceil(1000)))
}

/// The value of `Set-Cookie` that makes a browser forget the cookie: browsers look for one of the same name, domain
/// and path.
pub fn cleared(cookie: &Cookie) -> HeaderValue {
    // The settings allow only what a header may hold.
    HeaderValue::from_str(&line(cookie, "", Some(0))).unwrap_or_else(|_| HeaderValue::from_static(""))
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
    use crate::config::{Config, SameSite};

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
    }
}
