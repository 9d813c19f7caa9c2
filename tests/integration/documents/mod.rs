//! What the documents show, done.

mod sessions;
