//! Addresses of listeners, and the files that they use.

use std::path::PathBuf;

use super::scalar::{Parsed, missing_feature};
use crate::values::ListenAddr;

/// `sockaddr_un.sun_path` has 108 bytes with the closing zero on Linux (unix(7)).
const MAX_SOCKET_PATH_BYTES: usize = 107;

/// Parses `IP:PORT` or `unix:/path`.
pub(crate) fn listen_addr(text: &str) -> Parsed<ListenAddr> {
    let Some(path) = text.strip_prefix("unix:") else {
        return text.parse().map(ListenAddr::Tcp).map_err(|_| {
            "is neither an IP address with a port such as 127.0.0.1:8080 or [::1]:8080 \
             (a host name is not looked up) nor unix: and a path"
                .into()
        });
    };
    if !path.starts_with('/') || path.contains('\0') {
        return Err("has no absolute path after unix:".into());
    }
    if path.len() > MAX_SOCKET_PATH_BYTES {
        return Err(format!("has a path longer than the {MAX_SOCKET_PATH_BYTES} bytes of a unix socket"));
    }
    Ok(ListenAddr::Unix(PathBuf::from(path)))
}

/// Like [`listen_addr`]; an empty text is `None`.
pub(crate) fn optional_listen_addr(text: &str) -> Parsed<Option<ListenAddr>> {
    if text.is_empty() { Ok(None) } else { listen_addr(text).map(Some) }
}

/// Like [`optional_listen_addr`]. A server without the feature `grpc` cannot serve the address; a node in process serves none.
pub(crate) fn grpc_listen_addr(text: &str) -> Parsed<Option<ListenAddr>> {
    let address = optional_listen_addr(text)?;
    if address.is_some() && cfg!(feature = "server") && !cfg!(feature = "grpc") {
        return Err(missing_feature("grpc"));
    }
    Ok(address)
}

/// Parses the permissions of a file in octal; an empty text is `None`.
pub(crate) fn file_mode(text: &str) -> Parsed<Option<u32>> {
    if text.is_empty() {
        return Ok(None);
    }
    let is_octal = (3..=4).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| is_octal && *mode <= 0o777);
    mode.map(Some).ok_or_else(|| "is not three octal digits such as 660".into())
}

/// Parses the path of a file; an empty text is `None`.
pub(crate) fn optional_path(text: &str) -> Parsed<Option<PathBuf>> {
    if text.chars().any(char::is_control) {
        return Err("is not a path: it has control characters".into());
    }
    Ok((!text.is_empty()).then(|| PathBuf::from(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_addresses_or_paths() {
        for text in ["127.0.0.1:0", "[::1]:8080", "unix:/run/x.sock"] {
            assert_eq!(listen_addr(text).unwrap().to_string(), text);
        }
        let long = format!("unix:/{}", "x".repeat(MAX_SOCKET_PATH_BYTES));
        for text in ["", "8080", ":8080", "localhost:8080", "127.0.0.1", "unix:", "unix:x", "unix:/\0", &long]
        {
            assert!(listen_addr(text).is_err(), "{text}");
        }
        assert!(listen_addr("localhost:8080").unwrap_err().contains("a host name is not looked up"));
        let (a, b) = (listen_addr("[::1]:1").unwrap(), listen_addr("[::1]:0").unwrap());
        assert!(a.collides_with(&a) && !a.collides_with(&b) && !b.collides_with(&b));
    }
}
