//! The helpers of the tests, tried on themselves.

mod helpers;
