//! The codec of the fields of a token.

pub mod fields;
pub mod record;
pub mod stored;
#[cfg(test)]
pub mod tests;
