//! What each field may be, one rule per field: for JSON bodies, paths and queries alike.

/// The most bytes of a user id.
pub const USER_MAX_BYTES: usize = 256;
/// The most characters kept of a user agent; longer ones are cut.
pub const USER_AGENT_MAX_CHARS: usize = 256;
/// The most characters of an auth slug.
pub const AUTH_SLUG_MAX_CHARS: usize = 50;
/// The most bytes of a backend's name.
pub const BACKEND_MAX_BYTES: usize = 255;
/// The most related objects of a token.
pub const MAX_RELATED_OBJECTS: usize = 16;
/// The most bytes of a related object's content type.
pub const CONTENT_TYPE_MAX_BYTES: usize = 100;
/// The most bytes of a related object's id.
pub const OBJECT_ID_MAX_BYTES: usize = 255;
/// The most characters of a takeover's reason.
pub const REASON_MAX_CHARS: usize = 500;
/// The longest idle time or lifetime a caller may ask for: ten years.
pub const MAX_AGE_SECONDS: u64 = 10 * 366 * 24 * 3600;

/// What is wrong with a value; `Ok` when nothing is.
pub type Checked = Result<(), String>;

/// A user id: 1 to 256 bytes of UTF-8 without control characters, and not `-`, which stands for nobody.
pub fn user(value: &str) -> Checked {
    name(value, USER_MAX_BYTES)
}

/// A backend's name: 1 to 255 bytes without control characters, and not `-`.
pub fn backend(value: &str) -> Checked {
    name(value, BACKEND_MAX_BYTES)
}

/// An auth slug: 1 to 50 of `[A-Za-z0-9_-]`, and not `-` alone.
pub fn auth_slug(value: &str) -> Checked {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if value.is_empty() || value.len() > AUTH_SLUG_MAX_CHARS || !value.chars().all(legal) {
        return Err(format!("must be 1 to {AUTH_SLUG_MAX_CHARS} characters of A-Z, a-z, 0-9, _ and -"));
    }
    not_the_placeholder(value)
}

/// A user agent: any text without control characters; its length is cut, not refused.
pub fn user_agent(value: &str) -> Checked {
    no_control_characters(value)
}

/// A takeover's reason: up to 500 characters, no control characters.
pub fn reason(value: &str) -> Checked {
    if value.chars().count() > REASON_MAX_CHARS {
        return Err(format!("must be at most {REASON_MAX_CHARS} characters long"));
    }
    no_control_characters(value)
}

/// The kind of a related object: 1 to 100 bytes without control characters.
pub fn content_type(value: &str) -> Checked {
    bounded(value, CONTENT_TYPE_MAX_BYTES)
}

/// The id of a related object: 1 to 255 bytes without control characters.
pub fn object_id(value: &str) -> Checked {
    bounded(value, OBJECT_ID_MAX_BYTES)
}

/// The first 256 characters of a user agent.
pub fn cut_user_agent(value: &str) -> &str {
    value.char_indices().nth(USER_AGENT_MAX_CHARS).map_or(value, |(end, _)| &value[..end])
}

fn name(value: &str, max_bytes: usize) -> Checked {
    bounded(value, max_bytes)?;
    not_the_placeholder(value)
}

fn bounded(value: &str, max_bytes: usize) -> Checked {
    if value.is_empty() || value.len() > max_bytes {
        return Err(format!("must be 1 to {max_bytes} bytes long"));
    }
    no_control_characters(value)
}

fn not_the_placeholder(value: &str) -> Checked {
    if value == "-" { Err("must not be \"-\", which stands for none".into()) } else { Ok(()) }
}

fn no_control_characters(value: &str) -> Checked {
    if value.chars().any(char::is_control) { Err("must have no control characters".into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_of_each_field() {
        assert!(user(&"é".repeat(128)).is_ok());
        for bad in ["", "-", "a\nb", "a\u{7f}", "a\u{85}", &"é".repeat(129)] {
            assert!(user(bad).is_err(), "{bad:?}");
            assert!(backend(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "-", "a b", "ü", &"a".repeat(51)] {
            assert!(auth_slug(bad).is_err(), "{bad:?}");
        }
        assert!(auth_slug(&"_-a9Z".repeat(10)).is_ok());
        assert!(object_id("-").is_ok());
        assert_eq!(cut_user_agent(&"é".repeat(300)), "é".repeat(256));
        assert_eq!(cut_user_agent("short"), "short");
    }
}
