//! The shape of a token string: what it looks like before anything is computed.

use std::ops::RangeInclusive;

use crate::named_enum::named_enum;

named_enum! {
    /// The characters that a token string may have.
    pub enum Characters {
        /// `0-9 a-f A-F`.
        Hex => "hex",
        /// `0-9 A-Z a-z`.
        Alphanumeric => "alphanumeric",
        /// `0-9 A-Z a-z - _`.
        Base64Url => "base64url",
        /// Visible ASCII characters.
        Printable => "printable",
    }
}

impl Characters {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Alphanumeric => byte.is_ascii_alphanumeric(),
            Self::Base64Url => byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_',
            Self::Printable => byte.is_ascii_graphic(),
        }
    }
}

/// The shape of a form's strings. A string of another shape is refused without a look at the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The start of every string.
    pub prefix: String,
    /// How many characters follow the prefix.
    pub length: RangeInclusive<usize>,
    /// The characters after the prefix.
    pub characters: Characters,
}

impl Shape {
    /// A shape without a prefix.
    pub fn new(length: RangeInclusive<usize>, characters: Characters) -> Self {
        Self { prefix: String::new(), length, characters }
    }

    /// Whether a string has this shape.
    pub fn fits(&self, string: &[u8]) -> bool {
        string.strip_prefix(self.prefix.as_bytes()).is_some_and(|rest| {
            self.length.contains(&rest.len()) && rest.iter().all(|byte| self.characters.has(*byte))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_a_prefix_a_length_and_characters() {
        let shape = Shape { prefix: "k_".into(), ..Shape::new(2..=3, Characters::Hex) };
        for fits in ["k_0f", "k_ABC"] {
            assert!(shape.fits(fits.as_bytes()), "{fits}");
        }
        for other in ["", "k_", "k_0", "k_0123", "K_0f", "0f", "k_0g", "k_0é"] {
            assert!(!shape.fits(other.as_bytes()), "{other}");
        }
        let printable = Shape::new(1..=9, Characters::Printable);
        assert!(printable.fits(b"a|~!") && !printable.fits(b"a b") && !printable.fits(b"a\x7f"));
    }
}
