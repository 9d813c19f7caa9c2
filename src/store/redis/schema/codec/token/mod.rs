//! The fields of a token.

pub mod fields;
pub mod record;
#[cfg(test)]
pub mod tests;
