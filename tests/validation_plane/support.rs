//! Requests and assertions that several tests of the validation plane share.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ring::hmac;
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::common::http::{Client, Response};
use crate::common::server::{Server, assert_empty, cookie};

pub const ANONYMOUS: [&str; 7] = ["-", "-", "-", "-", "-", "-", "0"];

pub const CHECKS: (&str, &str) = (
    "DOORWARD_CHECKS",
    "staff:backend=ldap+slug=web+second-factor=true, shop:slug=web+anonymous=true, any, door:anonymous=true",
);

pub const FOREIGN: [(&str, &str); 3] =
    [("Origin", "https://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")];

pub const OWN: [(&str, &str); 4] = [
    ("Origin", "https://shop.example"),
    ("Origin", "https://app.example"),
    ("Sec-Fetch-Site", "same-origin"),
    ("X-Other", "1"),
];

/// Asserts a 403 with this reason and no other identity header, cookie or challenge.
pub fn assert_forbidden(response: &Response, reason: &str) {
    assert_eq!((response.status, response.header("x-auth-reason")), (403, Some(reason)), "{response:?}");
    assert_empty(response);
    let tells = |(name, _): &(String, String)| {
        let name = name.to_ascii_lowercase();
        name.starts_with("x-auth-") && name != "x-auth-reason"
            || name == "set-cookie"
            || name == "www-authenticate"
    };
    assert!(!response.headers.iter().any(tells), "{response:?}");
}

/// Sends a request with the login cookie.
pub fn ask(
    client: &mut Client,
    method: &str,
    path: &str,
    token: &Value,
    headers: &[(&str, &str)],
) -> Response {
    let cookie = cookie(token);
    client.request(method, path, &[&[("Host", "shop.example"), ("Cookie", &*cookie)], headers].concat(), None)
}

pub fn logout(server: &Server, headers: &[(&str, &str)]) -> Response {
    server.validation().request("POST", "/logout", headers, None)
}

pub fn upgrade(server: &Server, headers: &[(&str, &str)]) -> Response {
    server.validation().request("POST", "/session/upgrade", headers, None)
}

/// A file with secrets, which is removed with this.
pub struct Secrets(NamedTempFile);

impl Secrets {
    pub fn new(text: &str) -> Self {
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Self(file)
    }

    pub fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }
}

/// Percent-encodes everything but letters and digits.
pub fn percent(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

pub fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

/// Signs a value as express signs cookies.
pub fn express(secret: &str, value: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    format!("s:{value}.{}", STANDARD_NO_PAD.encode(hmac::sign(&key, value.as_bytes())))
}
