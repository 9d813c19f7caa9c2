//! Values cached beside a copy of a record.

use std::hint::black_box;
use std::sync::OnceLock;

/// A value that is derived from a copy of a record, or read after it, once. Not part of the record: a clone starts empty,
/// and all are equal.
pub struct Cached<T>(OnceLock<T>);

/// A text with a gap for a value that changes without the record.
pub struct GappedText {
    text: Box<[u8]>,
    gap_at: u32,
}

impl GappedText {
    /// A text with its gap at this byte.
    pub fn new(text: Vec<u8>, gap_at: usize) -> Self {
        let gap_at = u32::try_from(gap_at.min(text.len())).unwrap_or(0);
        Self { text: text.into(), gap_at }
    }

    /// Prefetches the memory of the text.
    pub fn fetch(&self) {
        /// Memory is fetched in lines of this size.
        const LINE_BYTES: usize = 64;
        for byte in self.text.iter().step_by(LINE_BYTES) {
            black_box(*byte);
        }
    }

    /// The text before the gap, and the text after it.
    pub fn parts(&self) -> (&[u8], &[u8]) {
        self.text.split_at_checked(self.gap_at as usize).unwrap_or_default()
    }
}

impl<T> Cached<T> {
    /// Returns the value, and makes it if there is none.
    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        self.0.get_or_init(make)
    }

    /// Returns the value, if there is one.
    pub fn get(&self) -> Option<&T> {
        self.0.get()
    }
}

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T> From<T> for Cached<T> {
    fn from(value: T) -> Self {
        Self(value.into())
    }
}

impl<T> Clone for Cached<T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<T> PartialEq for Cached<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Cached<T> {}

impl<T> std::fmt::Debug for Cached<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cached")
    }
}
