//! The texts of a record. Short texts are inside the record: judging a cached token costs mostly the fetching of its memory,
//! so there is little of it, in one place.

use arrayvec::ArrayString;

/// Texts that are longer in total have an allocation of their own.
const INLINE_BYTES: usize = 56;
/// Set if all texts but the scopes are visible ASCII. No end reaches this bit.
const VISIBLE_ASCII: u16 = 1 << 15;
/// The number of the scopes among the texts.
const SCOPES: usize = 4;

/// User, auth slug, backend, device and scopes. No value may be empty, so a missing one is kept as the empty text.
#[derive(Clone, PartialEq, Eq)]
pub struct Texts {
    all: All,
    /// The ends of all texts but the last. The first has the bit [`VISIBLE_ASCII`], too.
    ends: [u16; 4],
}

#[derive(Clone, PartialEq, Eq)]
enum All {
    Inline(ArrayString<INLINE_BYTES>),
    Apart(Box<str>),
}

impl Texts {
    /// Joins the texts, each of at most 256 bytes. There are no scopes yet: [`Texts::with_scopes`].
    pub fn new(user: &str, auth_slug: Option<&str>, backend: Option<&str>, device: Option<&str>) -> Self {
        Self::of([user, auth_slug.unwrap_or(""), backend.unwrap_or(""), device.unwrap_or(""), ""])
    }

    /// Joins user, auth slug, backend, device and scopes; a missing one is empty.
    pub(crate) fn of(parts: [&str; 5]) -> Self {
        let mut ends = [0; 4];
        let mut length = 0_usize;
        for (end, part) in ends.iter_mut().zip(parts) {
            length += part.len();
            *end = u16::try_from(length).unwrap_or(u16::MAX) & !VISIBLE_ASCII;
        }
        // Scopes are visible ASCII by their rule, with spaces between them.
        if parts[..SCOPES].iter().all(|part| is_visible_ascii(part)) {
            ends[0] |= VISIBLE_ASCII;
        }
        let mut inline = ArrayString::new();
        let is_short = parts.iter().all(|part| inline.try_push_str(part).is_ok());
        let all = if is_short { All::Inline(inline) } else { All::Apart(parts.concat().into()) };
        Self { all, ends }
    }

    fn part(&self, number: usize) -> &str {
        let all = match &self.all {
            All::Inline(text) => text.as_str(),
            All::Apart(text) => text,
        };
        let bound =
            |end: Option<&u16>, otherwise| end.map_or(otherwise, |end| usize::from(*end & !VISIBLE_ASCII));
        let start = number.checked_sub(1).map_or(0, |before| bound(self.ends.get(before), 0));
        all.get(start..bound(self.ends.get(number), all.len())).unwrap_or("")
    }

    fn optional(&self, number: usize) -> Option<&str> {
        Some(self.part(number)).filter(|part| !part.is_empty())
    }

    /// The user who logged in: 1 to 256 bytes.
    pub fn user(&self) -> &str {
        self.part(0)
    }

    /// The kind of token (django-auth-token's auth slug).
    pub fn auth_slug(&self) -> Option<&str> {
        self.optional(1)
    }

    /// The backend that authenticated the user.
    pub fn backend(&self) -> Option<&str> {
        self.optional(2)
    }

    /// The uuid of the device key that logged in.
    pub fn device(&self) -> Option<&str> {
        self.optional(3)
    }

    /// The scopes, with a space between two.
    pub fn scopes(&self) -> Option<&str> {
        self.optional(SCOPES)
    }

    /// The texts with another auth slug, or none.
    pub fn with_auth_slug(&self, auth_slug: Option<&str>) -> Self {
        self.with(1, auth_slug.unwrap_or(""))
    }

    /// The texts with another user; for a token that was made before its owner was known.
    pub fn with_user(&self, user: &str) -> Self {
        self.with(0, user)
    }

    /// The texts with the device key that logged in.
    pub fn with_device(&self, device: &str) -> Self {
        self.with(3, device)
    }

    /// The texts with other scopes, with a space between two, or none.
    pub fn with_scopes(&self, scopes: Option<&str>) -> Self {
        self.with(SCOPES, scopes.unwrap_or(""))
    }

    fn with(&self, number: usize, text: &str) -> Self {
        Self::of(std::array::from_fn(|at| if at == number { text } else { self.part(at) }))
    }

    /// Whether all texts but the scopes are visible ASCII without `%`, so that they need no encoding in headers.
    pub fn are_visible_ascii(&self) -> bool {
        self.ends[0] & VISIBLE_ASCII != 0
    }
}

/// Whether a text is visible ASCII without `%`.
pub fn is_visible_ascii(text: &str) -> bool {
    // Without an early end, so that the processor compares many bytes at once.
    !text.bytes().fold(false, |found, c| found | !c.is_ascii_graphic() | (c == b'%'))
}

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries((0..=self.ends.len()).map(|number| self.part(number))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_texts_read_back() {
        let long = "ü".repeat(128);
        for user in ["a", &long] {
            for (slug, backend, device) in
                [(None, None, None), (Some("web"), None, Some("d")), (None, Some(long.as_str()), None)]
            {
                let texts = Texts::new(user, slug, backend, device);
                assert_eq!(texts.user(), user);
                assert_eq!((texts.auth_slug(), texts.backend(), texts.device()), (slug, backend, device));
                let other = texts.with_auth_slug(Some("other"));
                assert_eq!((other.auth_slug(), other.backend()), (Some("other"), backend));
                assert_eq!(texts.are_visible_ascii(), user == "a" && backend.is_none());
                assert_eq!((texts.scopes(), other.with_scopes(Some("a b")).scopes()), (None, Some("a b")));
                assert_eq!(texts.with_scopes(Some("a b")).with_scopes(None), texts);
            }
        }
        for text in ["a b", "100%", "\u{7f}", "é"] {
            assert!(!Texts::new("a", Some(text), None, None).are_visible_ascii(), "{text}");
        }
    }

    #[test]
    fn short_texts_are_inside_the_record() {
        assert!(size_of::<Texts>() <= INLINE_BYTES + 16);
    }
}
